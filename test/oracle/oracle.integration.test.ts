import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chainedItems } from '../../gateway/audit/verify/item.ts'
import { type ItemContent, itemText, type RecordMembers } from '../../gateway/audit/verify/item-text.ts'
import { clinicLock } from '../../schema/clinic.ts'
import { lockReplay, replayed, verdictText } from '../gateway/audit/replay-bench.ts'
import { auditDesk } from '../gateway/oversight/audit-clinic.ts'
import { agrees, type Clinic, openClinic, outcomesMet } from './agreement.ts'
import { auditorAgrees } from './auditor-agreement.ts'
import { type Answered, historyAgrees } from './history-agreement.ts'
import { rulesOf } from './plain-rules.ts'
import { READABLE } from './readable.ts'

let clinic: Clinic
let answered: Promise<readonly Answered[]> | undefined
/** The questions are asked once, by the first test that needs them. */
const ask = async (): Promise<readonly Answered[]> => await (answered ??= agrees(clinic, rulesOf(READABLE)))

beforeAll(async () => {
  clinic = await openClinic()
})
afterAll(() => clinic.running.stop())

/** Longer than any run, because a failing example is minimized before it is reported. */
const PATIENCE_MS = 300_000

describe('answers to generated questions equal the prediction from rules and data', () => {
  it(
    'P1 P3 P4 P5 P9 P11 P12: disclosed, masked, denied, absent, counted and audited alike',
    async () => {
      expect([...outcomesMet(await ask()).keys()]).toEqual(
        expect.arrayContaining([
          'READ DISCLOSED',
          'READ MASKED LAST4',
          'READ MASKED YEAR',
          'READ MASKED ZIP3',
          'READ ABSENT',
          'READ DENIED ROLE',
          'READ DENIED PURPOSE',
          'READ DENIED RELATIONSHIP',
          'READ DENIED NOT_FOUND',
          'SEARCH DENIED ROLE',
        ]),
      )
    },
    PATIENCE_MS,
  )

  it.each(['patient', 'user'] as const)(
    'P2 P7: the audit by %s has the records that it has by request, and that the oracle expects',
    async (index) => {
      expect(await historyAgrees(clinic.running.services.history, index, await ask())).toBeGreaterThan(6)
    },
    PATIENCE_MS,
  )

  it(
    'C10: fieldAccesses by request, patient and user has the patient, record, path and outcome of each access, once',
    async () => {
      expect(await auditorAgrees(auditDesk(clinic.running), await ask())).toBeGreaterThan(500)
    },
    PATIENCE_MS,
  )

  it(
    'P7: the policy replay allows every disclosure of the audit',
    async () => {
      const items = chainedItems((await ask()).flatMap(({ entries }) => entries))
      const contents = items.map(
        ({ records }) => JSON.parse(itemText(records as readonly object[] as readonly RecordMembers[]) ?? '') as ItemContent,
      )
      const results = replayed(lockReplay(clinicLock()), contents)
      expect(results.filter(({ verdict }) => verdict.kind === 'NOT_ALLOWED')).toEqual([])
      expect(new Set(results.map(({ verdict }) => verdictText(verdict)))).toContain('REPLAYED')
    },
    PATIENCE_MS,
  )
})

describe('the oracle', () => {
  // shared code would make the same mistake in both
  it.each([
    'oracle.ts',
    'plain-changes.ts',
    'plain-facts.ts',
    'plain-mutations.ts',
    'plain-rules.ts',
    'plain-schema.ts',
    'plain-world.ts',
    'readable.ts',
    'writable.ts',
  ])("%s imports nothing of the gateway's decisions", (file) => {
    expect(readdirSync(import.meta.dirname)).toContain(file)
    const source = readFileSync(new URL(file, import.meta.url), 'utf8')
    expect(source).not.toMatch(/from '(?:\.\.\/)+(?:directives\/(?!coordinates\.ts)|gateway\/(?!model\/)|resolvers\/)/)
  })
})
