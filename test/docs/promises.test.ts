import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const promises = readFileSync(new URL('../../docs/promises.md', import.meta.url), 'utf8')
const rows = [...promises.matchAll(/^\| (P\d+) \|[^|]+\|([^|]*)\|/gm)].map(([, id = '', shownBy = '']) => ({
  id,
  files: [...shownBy.matchAll(/`([\w-]+\/[^`]+)`/g)].flatMap(([, name = '']) => spelledOut(name)),
}))

/** `gateway/audit/{entry,trail}` means two files. */
function spelledOut(name: string): string[] {
  const [, folder = '', names = ''] = /^([^{]+)\{([^}]+)\}$/.exec(name) ?? [name, name, '']
  return names.split(',').map((one) => folder + one)
}

it('docs/promises.md has each promise once', () => {
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 13 }, (_, index) => `P${index + 1}`))
})

it.each(rows)('docs/promises.md names existing tests with the id in a title: $id', ({ id, files }) => {
  const lacking = files.filter((file) => {
    const test = new URL(`../${file}.test.ts`, import.meta.url)
    return !existsSync(test) || !new RegExp(`\\b${id}\\b`).test(readFileSync(test, 'utf8'))
  })
  expect(lacking).toEqual([])
})
