import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { escapeControls, printLine, printText } from '../../cli/terminal.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ALL = Array.from({ length: 0x100 }, (_, code) => String.fromCharCode(code)).join('')
const isControl = (character: string, code = character.charCodeAt(0)): boolean => code < 0x20 || (code >= 0x7f && code <= 0x9f)

describe('control characters in a text for the terminal', () => {
  it('are escaped, and no others', () => {
    expect(Array.from(escapeControls(ALL)).filter((character) => isControl(character))).toEqual([])
    expect(escapeControls('\u0000\u0007\u001b[2J\u007f\u0085\u009b31m')).toBe('\\u0000\\u0007\\u001b[2J\\u007f\\u0085\\u009b31m')
    const others = Array.from(ALL)
      .filter((character) => !isControl(character))
      .join('')
    expect(escapeControls(`${others}\u00a0é\u{1F600}`)).toBe(`${others}\u00a0é\u{1F600}`)
  })

  it('stay the same value in JSON', () => {
    expect(JSON.parse(escapeControls(JSON.stringify({ [ALL]: ALL })))).toEqual({ [ALL]: ALL })
  })
})

describe('a text for the terminal', () => {
  const written: string[] = []
  afterEach(() => {
    written.length = 0
    vi.restoreAllMocks()
  })
  const catchIn = (stream: 'stdout' | 'stderr'): void => {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written.push(String(text))
      return true
    })
  }

  it('is one line, whatever it contains', () => {
    catchIn('stdout')
    printLine('fault: a\nfault: forged.json\r, the file is not JSON')
    expect(written).toEqual(['fault: a\\u000afault: forged.json\\u000d, the file is not JSON\n'])
  })

  it('or several lines with their breaks', () => {
    catchIn('stderr')
    printText('one\u001b[1m\n\ntwo\n', 'stderr')
    expect(written).toEqual(['one\\u001b[1m\n\ntwo\n'])
  })
})

describe('the commands', () => {
  // bin.ts prints versions only, before it loads anything
  it('print through one file', () => {
    const files = readdirSync(`${ROOT}/cli`).filter((name) => name.endsWith('.ts') && !['terminal.ts', 'bin.ts'].includes(name))
    expect(files.length).toBeGreaterThan(10)
    for (const file of files) {
      const text = readFileSync(`${ROOT}/cli/${file}`, 'utf8')
      expect([file, /\bconsole\.|std(?:out|err)\.write|\['std(?:out|err)'\]/.exec(text)?.[0]]).toEqual([file, undefined])
    }
  })

  it('repeat an argument in an error without its control characters', { timeout: 30_000 }, async () => {
    const words = ['policy', 'tab\u001b[2Jle\u009b']
    const stderr = await new Promise<string>((resolve) => {
      const env = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] }
      execFile(process.execPath, ['cli/phi.ts', ...words], { cwd: ROOT, env }, (_error, _stdout, text) => resolve(text))
    })
    expect(stderr).toContain('tab\\u001b[2Jle\\u009b')
    expect(Array.from(stderr).filter((character) => isControl(character) && character !== '\n')).toEqual([])
  })
})
