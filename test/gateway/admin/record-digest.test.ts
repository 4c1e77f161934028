import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { compilePolicy } from '../../../directives/compile.ts'
import { recordOfLine } from '../../../gateway/admin/record-lines.ts'
import type { RecordId } from '../../../gateway/model/ids.ts'

const sdl = readFileSync(new URL('../../../infra/npm/starter/schema/practice.graphql', import.meta.url), 'utf8')
const compiled = compilePolicy([{ name: 'practice.graphql', sdl }], { relationships: 'unchecked' })
const digestOf = (line: object): string | undefined =>
  recordOfLine(JSON.stringify(line), { compiled, idFor: (type, id) => `${type}-${id}` as RecordId }).record.metadata.source

const line = { type: 'Visit', id: 'v-1', patient: 'p-1', date: '2026-04-01', values: { reason: 'Knee', date: '2026-04-01' } }

it('a repeated line has the digest of the first one, so that the store writes no new version', () => {
  expect(digestOf({ ...line, values: { date: '2026-04-01', reason: 'Knee' } })).toBe(digestOf(line))
})

it.each([
  ['value', { ...line, values: { ...line.values, reason: 'Hip' } }],
  ['missing value', { ...line, values: { reason: 'Knee' } }],
  ['date', { ...line, date: '2026-04-02' }],
  ['author', { ...line, author: 'Practitioner/therapist' }],
])('a line with another %s has another digest', (_what, changed) => {
  expect(digestOf(changed)).not.toBe(digestOf(line))
})
