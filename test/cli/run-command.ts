import type { Command } from 'commander'
import { vi } from 'vitest'
import { isExplained, printFailure } from '../../cli/failure.ts'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command in this process, with the failures that `phi` explains. */
export async function runCommand(command: Command, words: readonly string[]): Promise<Ran> {
  const output = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      output[stream] += String(chunk)
      return true
    }),
  )
  const before = process.exitCode
  process.exitCode = 0
  for (const one of withSubcommands(command)) one.exitOverride()
  try {
    await command.parseAsync([...words], { from: 'user' })
    return { code: process.exitCode, ...output }
  } catch (error) {
    const { exitCode, code = '' } = error as { readonly exitCode?: number; readonly code?: string }
    if (exitCode !== undefined && code.startsWith('commander.')) return { code: exitCode, ...output }
    if (!isExplained(error, process.env)) throw error
    return { code: printFailure(error), ...output }
  } finally {
    process.exitCode = before
    for (const spy of spies) spy.mockRestore()
  }
}

const withSubcommands = (command: Command): Command[] => [command, ...command.commands.flatMap(withSubcommands)]
