import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Clinic, openClinic, outcomesMet } from './agreement.ts'
import { mixedAgrees } from './mixed-agreement.ts'
import { changeRulesOf } from './plain-changes.ts'
import { rulesOf } from './plain-rules.ts'
import { READABLE } from './readable.ts'
import { WRITABLE } from './writable.ts'

let clinic: Clinic

beforeAll(async () => {
  clinic = await openClinic()
})
afterAll(() => clinic.running.stop())

it('C05 C08: changes between reads have the predicted refusals, records, answers and audit', { timeout: 900_000 }, async () => {
  const answered = await mixedAgrees(clinic, rulesOf(READABLE), changeRulesOf(WRITABLE))
  const met = outcomesMet(answered)
  const codes = Map.groupBy(
    answered.flatMap((one) => one.codes),
    (code) => code,
  )
  const bases = Map.groupBy(
    answered.flatMap(({ entries }) => entries.map(({ outcome, basis = '' }) => `${outcome} ${basis}`)),
    (text) => text,
  )
  const counts = [...met, ...[...codes, ...bases].map(([name, all]) => [name, all.length] as const)]
  console.info(`${answered.length} operations agree: ${JSON.stringify(Object.fromEntries(counts.toSorted()))}`)
  // a small run meets fewer outcomes
  expect([...met.keys()]).toEqual(expect.arrayContaining(['CREATE WRITTEN', 'UPDATE WRITTEN', 'READ DISCLOSED']))
  expect([...codes.keys()]).toContain('NOT_FOUND')
})
