import type { Command } from 'commander'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
// the program loads these commands on demand, which takes longer than a test
import '../../cli/operations.ts'
import { phiProgram } from '../../cli/program.ts'

const document = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

/** The commands that act, with the words that name them. */
const leavesOf = (command: Command, words: string): { readonly words: string; readonly command: Command }[] =>
  command.commands.length === 0 ? [{ words, command }] : command.commands.flatMap((one) => leavesOf(one, `${words} ${one.name()}`))

describe('docs/cli.md', () => {
  it('lists every command with its description, in the order of the help', async () => {
    const leaves = leavesOf(await phiProgram(['operations']), 'phi')
    const rows = [...document.matchAll(/^\| `(phi [^`]+)` \| (.+?) \| [^|]*\|$/gm)].map(([, words, description]) => ({
      words,
      description,
    }))
    expect(rows).toEqual(leaves.map(({ words, command }) => ({ words, description: command.description() })))
  })

  it('has the exit codes beyond 0 and 1 of each help', async () => {
    const codes = new Map(
      [...document.matchAll(/^\| `(phi [^`]+)` \| .+? \| ([^|]*)\|$/gm)].map(([, words = '', text = '']) => [words, codesOf(text)]),
    )
    for (const { words, command } of leavesOf(await phiProgram(['operations']), 'phi')) {
      let help = ''
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
      const stated = codesOf(/^Exit code: .*$/m.exec(help)?.[0] ?? '')
      for (const code of stated)
        expect({ words, codes: codes.get(words) }).toEqual({ words, codes: expect.arrayContaining([code]) as string[] })
    }
  })
})

/** The exit codes of a text, apart from 0 and 1. */
const codesOf = (text: string): string[] => [...text.matchAll(/\b[2-9]\b/g)].map(([code]) => code)
