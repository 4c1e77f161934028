import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const document = readFileSync(new URL('../../docs/hipaa-controls.md', import.meta.url), 'utf8')
const rows = document
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, id = '']) => /^C\d\d$/.test(id))
  .map(([, id = '', , , doneBy = '', shownBy = '']) => ({
    id,
    doneBy: namesIn(doneBy),
    shownBy: namesIn(shownBy),
    isOpen: /Open\b/.test(shownBy),
  }))

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([\w-]+\/[^`]+)`/g)].flatMap(([, name = '']) => spelledOut(name))
}

/** `access/{identity,claims}.ts` means two files. */
function spelledOut(name: string): string[] {
  const [, before = '', names, after = ''] = /^([^{]*)\{([^}]+)\}(.*)$/.exec(name) ?? []
  return names === undefined ? [name] : names.split(',').map((one) => before + one + after)
}

it('docs/hipaa-controls.md has each control once', () => {
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 32 }, (_, index) => `C${String(index + 1).padStart(2, '0')}`))
})

it.each(rows)(
  'docs/hipaa-controls.md names existing code and tests, or states that a control is open: $id',
  ({ doneBy, shownBy, isOpen }) => {
    const files = [...doneBy, ...shownBy.map((test) => `test/${test}.test.ts`)]
    expect(files.filter((file) => !existsSync(new URL(`../../${file}`, import.meta.url)))).toEqual([])
    expect(isOpen || (doneBy.length > 0 && shownBy.length > 0)).toBe(true)
  },
)
