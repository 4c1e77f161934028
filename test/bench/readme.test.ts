import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { readmeFigures, withFigures } from '../../bench/readme.ts'
import { storedResults } from '../../bench/results.ts'
import { tablesOf } from '../../bench/tables.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

it('README.md has the figures of the last full run: node bench/readme.ts', () => {
  const readme = read('README.md')
  expect(withFigures(readme, readmeFigures(storedResults()))).toBe(readme)
})

it('the tables of bench/results are those of its JSON', () => {
  expect(`${tablesOf(storedResults()).trimEnd()}\n`).toBe(read('bench/results/results.md'))
})

it('a README without markers is an error', () => {
  expect(() => withFigures('# phi-gateway', '')).toThrow(RangeError)
})
