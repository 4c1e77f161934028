import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { examples } from './examples.ts'

it('docs/sealed-field.md shows every example of the code and no other', async () => {
  const text = await readFile(new URL('../../../docs/sealed-field.md', import.meta.url), 'utf8')
  const shown = [...text.matchAll(/^```example ([a-z-]+)\n([^`]*)^```/gm)].map(([, name, lines = '']) => [
    name,
    lines.replaceAll('\n', ''),
  ])
  expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(examples()))
  expect(shown).toHaveLength(examples().size)
})
