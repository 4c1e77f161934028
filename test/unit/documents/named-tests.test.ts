import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** `unit/access/{decide,explain}` is two names. */
function spelledOut(name: string): string[] {
  const [, before = '', choices, after = ''] = /^(.*)\{(.*)\}(.*)$/u.exec(name) ?? []
  return choices === undefined ? [name] : choices.split(',').map((choice) => `${before}${choice}${after}`)
}

const codeIn = (text: string): string[] => [...text.matchAll(/`([^`]+)`/gu)].flatMap(([, name = '']) => spelledOut(name))

/** The cells of each row of a table whose first cell is an id. */
function rows(file: string, id: RegExp): string[][] {
  const lines = readFileSync(new URL(`../../../docs/${file}`, import.meta.url), 'utf8').split('\n')
  return lines.map((line) => line.split('|').map((cell) => cell.trim())).filter(([, first = '']) => id.test(first))
}

const missing = (names: readonly string[]): string[] =>
  names.filter((name) => !existsSync(new URL(`../../../${name}`, import.meta.url)))
const isTest = (name: string): boolean => /^(?:unit|integration|end-to-end)\//u.test(name)
const isSource = (name: string): boolean => /^[\w-]+(?:\/[\w-]+)*\/[\w-]+\.(?:ts|yml|lock)$/u.test(name)

describe('documents name what there is', () => {
  it.each([
    ['promises.md', /^P\d+$/u, 13],
    ['hipaa-controls.md', /^C\d\d$/u, 32],
  ] as const)('the tests and files that %s shows as proof', (file, id, count) => {
    const table = rows(file, id)
    expect(table).toHaveLength(count)
    const named = table.flatMap((cells) => codeIn(cells.slice(3).join(' ')))
    const tests = named.filter(isTest)
    expect(tests.length).toBeGreaterThan(count)
    expect(missing(tests.map((name) => `test/${name}.test.ts`))).toEqual([])
    expect(missing(named.filter(isSource))).toEqual([])
  })

  it('a control is shown by a test, or says what lacks', () => {
    const bare = rows('hipaa-controls.md', /^C\d\d$/u).filter(
      (cells) => !codeIn(cells[5] ?? '').some(isTest) && !(cells[5] ?? '').includes('Open'),
    )
    expect(bare.map(([, id]) => id)).toEqual([])
  })
})
