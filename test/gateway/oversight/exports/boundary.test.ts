import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import { EXPORT_FORMATS } from '../../../../gateway/oversight/exports/export-formats.ts'
import { samples } from '../../audit/audit-arbitraries.ts'
import { entriesOfRequests, requests, sampledEntries } from './export-arbitraries.ts'
import { DIGESTS, objectsOf, textOf } from './export-bench.ts'

/** The denials that a receiver outside of the boundary must not tell apart. */
const denial = fc.record(
  {
    recordType: fc.constantFrom('Condition', 'Observation'),
    recordId: fc.constantFrom('EBESExQVFhcYGRobHB0eHw', 'AAECAwQFBgcICQoLDA0ODw'),
    recordVersion: fc.nat(5),
    listed: fc.boolean(),
    path: fc.constantFrom('Condition.id', 'Condition.code', 'Patient.ssn'),
    reason: fc.constantFrom('CONSENT', 'RELATIONSHIP', 'ROLE', 'PURPOSE', 'A_LATER_REASON'),
    rule: fc.constantFrom('Condition.code#1', 'Patient.ssn#3'),
    view: fc.constant('FULL'),
    count: fc.nat(5),
    basis: fc.constantFrom('CARE_TEAM', 'CONSENT'),
    origin: fc.constant('epic'),
  },
  { requiredKeys: ['path', 'listed'] },
)

const isDenied = ({ outcome, reason }: AuditEntry): boolean =>
  outcome === 'DENIED' && ['CONSENT', 'RELATIONSHIP', 'ROLE', 'PURPOSE', undefined].includes(reason)

/** The members of an access that its decision adds. */
const DECIDED = [
  'recordType',
  'recordId',
  'recordVersion',
  'view',
  'reason',
  'rule',
  'count',
  'basis',
  'basisId',
  'since',
  'limits',
  'origin',
  'paths',
]

const without = (entry: AuditEntry, names: readonly string[]): AuditEntry =>
  Object.fromEntries(Object.entries(entry).filter(([name]) => !names.includes(name))) as unknown as AuditEntry

describe('an export for a receiver outside of the boundary', () => {
  it('C28: is the same bytes for a denial by consent and by any other decision, wherever it is in the item', async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.array(denial, { minLength: 12, maxLength: 12 }), fc.nat(11), async (request, denials, turn) => {
        const entries = entriesOfRequests([request])
        const replaced = [...Map.groupBy(entries, ({ sequence }) => sequence).values()].flatMap((item) => {
          const others = item.map((entry, at): AuditEntry => {
            if (!isDenied(entry)) return entry
            return { ...without(entry, DECIDED), ...denials[at % denials.length] }
          })
          const moved = [...others.filter((entry) => !isDenied(entry))]
          for (const one of others.filter(isDenied)) moved.splice(turn % (moved.length + 1), 0, one)
          return moved.map((entry, at) => ({ ...entry, index: at + 1, hash: 'ab'.repeat(32), prev: 'cd'.repeat(32) }))
        })
        for (const format of EXPORT_FORMATS)
          expect(await textOf(format, replaced, DIGESTS)).toBe(await textOf(format, entries, DIGESTS))
      }),
      { numRuns: 60 },
    )
  })

  it('C28: has no word of consents, no patient id, no record id and no hash of the chain', async () => {
    const entries = sampledEntries(700, 11)
    expect(new Set(entries.map(({ basis }) => basis))).toContain('CONSENT')
    expect(new Set(entries.map(({ reason }) => reason))).toContain('CONSENT')
    for (const format of EXPORT_FORMATS) {
      const text = await textOf(format, entries, DIGESTS)
      expect(text).not.toMatch(/consent/i)
      const words = new Set(text.match(/[\w-]{22,}/g))
      for (const { patient, recordId, hash, basisId } of entries)
        for (const secret of [patient, recordId, hash, basisId])
          if (secret !== undefined && words.has(secret)) throw new Error(`${format} has an id or a hash`)
    }
  })

  it('C28: a permit that stands on a consent equals one that stands on a relationship', async () => {
    const [entry] = sampledEntries(1, 12)
    if (entry === undefined) throw new Error('no record')
    const permit = { ...without(entry, DECIDED), outcome: 'DISCLOSED', action: 'READ', path: 'Condition.code' }
    const byConsent = { ...permit, basis: 'CONSENT', basisId: 'EBESExQVFhcYGRobHB0eHw' }
    const byTeam = { ...permit, basis: 'CARE_TEAM', since: '2026-01-01T00:00:00.000Z', limits: [] }
    for (const format of EXPORT_FORMATS)
      expect(await textOf(format, [byConsent], DIGESTS)).toBe(await textOf(format, [byTeam], DIGESTS))
  })

  it('C28: a change of consents equals a change of the care team', async () => {
    const [entry] = sampledEntries(1, 12)
    if (entry === undefined) throw new Error('no record')
    const write = without(entry, DECIDED)
    const change = { ...write, outcome: 'WRITTEN', action: 'UPDATE' }
    for (const format of EXPORT_FORMATS)
      expect(await textOf(format, [{ ...change, path: 'Consent' }], DIGESTS)).toBe(
        await textOf(format, [{ ...change, path: 'Patient.careTeam', count: 3 }], DIGESTS),
      )
  })

  it('C28: keeps what a security team looks for: failed factors, spent budgets, guessed ids and break-glass', async () => {
    const entries = sampledEntries(1_200, 13)
    const events = await objectsOf('ndjson', entries, DIGESTS)
    const reasons = new Set(events.filter(({ outcome }) => outcome === 'DENIED').map(({ reason }) => reason))
    expect(reasons).toEqual(new Set([undefined, 'MFA', 'STEP_UP', 'BUDGET', 'SIZE', 'CONTRACT', 'UNKNOWN_FIELD', 'NOT_FOUND']))
    expect(new Set(events.map(({ basis }) => basis))).toEqual(new Set([undefined, 'BREAK_GLASS']))
    const counts = (some: readonly { readonly outcome?: unknown }[]): unknown =>
      [...Map.groupBy(some, ({ outcome }) => outcome)].map(([outcome, { length }]) => [outcome, length]).toSorted()
    expect(counts(events)).toEqual(counts(entries))
  })

  it('C28: digests differ by key, tenant and kind of id, and are equal for one id', async () => {
    const [entry] = sampledEntries(1, 14)
    if (entry === undefined) throw new Error('no record')
    const id = 'AAECAwQFBgcICQoLDA0ODw'
    const own = {
      ...entry,
      outcome: 'DISCLOSED',
      action: 'READ',
      path: 'Patient.ssn',
      patient: id,
      recordType: 'Patient',
      recordId: id,
    }
    const digests = async (change: Partial<AuditEntry>, key = 7): Promise<readonly unknown[]> => {
      const options = { ...DIGESTS, identifiers: { digestKey: new Uint8Array(32).fill(key) } }
      const [one] = await objectsOf('ndjson', [{ ...own, ...change }], options)
      return [one?.['patient'], one?.['recordId']]
    }
    const [patient, record] = await digests({})
    expect(patient).toMatch(/^[\w-]{22}$/)
    expect(await digests({ sequence: 99 })).toEqual([patient, record])
    const all = [patient, record, ...(await digests({ tenant: 'lakeside' })), ...(await digests({}, 8))]
    expect(new Set(all).size).toBe(6)
  })

  it('C28: drops the members of a later writer, which it cannot judge', async () => {
    const [entry] = sampledEntries(1, 15)
    const later = { ...entry, consentId: 'a-later-member' } as unknown as AuditEntry
    for (const format of EXPORT_FORMATS) expect(await textOf(format, [later], DIGESTS)).not.toContain('a-later-member')
  })

  it('C28: NDJSON with digests has whole items for any text that the writer can store', async () => {
    await fc.assert(
      fc.asyncProperty(samples(12), async (sample) => {
        const entries = entriesOfRequests([sample])
        const shown = await objectsOf('ndjson', entries, DIGESTS)
        const addresses = (some: readonly { readonly sequence?: unknown; readonly index?: unknown }[]): unknown =>
          some.map(({ sequence, index }) => [sequence, index])
        expect(addresses(shown)).toEqual(addresses(entries))
      }),
      { numRuns: 40 },
    )
  })
})
