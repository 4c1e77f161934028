import type { Command } from 'commander'
import { vi } from 'vitest'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command in this process. */
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
  const all = [command, ...command.commands]
  for (const one of all) one.exitOverride()
  try {
    await command.parseAsync([...words], { from: 'user' })
    return { code: process.exitCode, ...output }
  } catch (error) {
    const { exitCode } = error as { readonly exitCode?: number }
    if (exitCode === undefined) throw error
    return { code: exitCode, ...output }
  } finally {
    process.exitCode = before
    for (const spy of spies) spy.mockRestore()
  }
}
