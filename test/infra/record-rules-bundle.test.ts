import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { RecordRules } from '../../gateway/model/record-rules.ts'
import { gatewayOptions } from '../../infra/bundle.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-rules-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ENTRY = `
import { codeLabels } from './fhir/labels.ts'
import { clinicRecordRules } from './fhir/record-rules.ts'
export const rules = clinicRecordRules(() => codeLabels(new Set(['ETH', 'GDIS', 'HIV', 'PSY', 'PSYTHPN', 'SDV', 'SEX'])))`

it('the rules of written values label records in a bundle without a file beside it, and keep the bundle small', async () => {
  const outfile = join(folder, 'rules.mjs')
  const stdin = { contents: ENTRY, resolveDir: fileURLToPath(new URL('../../', import.meta.url)) }
  await build({ ...gatewayOptions, splitting: false, outExtension: {}, stdin, outfile })
  const { rules } = (await import(/* @vite-ignore */ pathToFileURL(outfile).href)) as { rules: RecordRules }
  const code = { coding: [{ system: 'http://loinc.org', code: '20447-9' }] }
  const facts = rules.get('Observation' as TypeName)?.factsOf(new Map([['Observation.code' as SchemaPath, code]]))
  expect(facts).toEqual({ codes: ['20447-9'], labels: ['HIV'] })
  // Zod, which the function has anyway, is most of it. With the texts of all its languages it would be three times as much
  expect(statSync(outfile).size).toBeLessThan(300_000)
})
