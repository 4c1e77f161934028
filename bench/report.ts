import { mkdirSync, writeFileSync } from 'node:fs'
import { plotsOf } from './plots.ts'
import type { Results } from './results.ts'
import { tablesOf } from './tables.ts'

/** Writes the figures of a run as JSON, Markdown and SVG. */
export function writeReport(results: Results, folder: URL): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(new URL('results.json', folder), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(new URL('results.md', folder), `${tablesOf(results).trimEnd()}\n`)
  for (const [name, svg] of plotsOf(results)) writeFileSync(new URL(`${name}.svg`, folder), svg)
}
