import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readShared } from './folder.ts'

/** The id, control and evidence of each row. */
const rows = (text: string): (string | undefined)[][] =>
  text
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, id = '']) => /^C\d\d$/u.test(id))
    .map((cells) => cells.slice(1, 4))

it('docs/hipaa-controls.md repeats every required control', () => {
  const asked = rows(readShared('CONTROLS.md'))
  expect(asked.length).toBeGreaterThan(30)
  expect(rows(readFileSync(new URL('../../docs/hipaa-controls.md', import.meta.url), 'utf8'))).toEqual(asked)
})
