import fc from 'fast-check'
import type { RecordedAccess } from '../../../../gateway/oversight/recorded-access.ts'
import { OUTCOMES } from '../../../../gateway/model/access-record.ts'

const FROM = Date.parse('2026-03-01T10:00:00.000Z')
const HOUR_MS = 3_600_000
/** Few values, so that filters meet records. */
const id = fc.constantFrom('a', "b'", 'c"--', '患者', '')
const path = fc.constantFrom('Patient.ssn', 'Patient.birthDate', 'Condition.code', 'Query.patients', 'AuditLog.fieldAccesses')
export const time = fc.integer({ min: 0, max: 40 }).map((step) => FROM + step * HOUR_MS * 7)
const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> => fc.option(value, { nil: undefined })
const present = <Members extends object>(members: Members): Members =>
  // safe: members that are undefined are optional ones
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Members

const context = fc.record({
  time: time.map((at) => new Date(at).toISOString()),
  requestId: fc.constantFrom('r1', 'r2', 'r3'),
  user: fc.constantFrom('a', "b'", 'c'),
  roles: fc.subarray(['PHYSICIAN', 'NURSE', 'AUDITOR']),
  purpose: fc.constantFrom('TREAT', 'HOPERAT', 'BTG'),
  patient: optional(id),
  organization: optional(id),
  client: optional(id),
  mfa: fc.boolean(),
  operation: optional(id),
  persisted: fc.boolean(),
})

const record = fc.record({
  path,
  paths: optional(fc.subarray(['Patient.ssn', 'Patient.birthDate', 'Condition.code'])),
  action: fc.constantFrom('READ', 'SEARCH', 'UPDATE', 'REVIEW'),
  outcome: fc.constantFrom(...OUTCOMES),
  reason: optional(fc.constantFrom('ROLE', 'CONSENT')),
  basis: optional(fc.constantFrom('CARE_TEAM', 'SELF')),
  listed: fc.boolean(),
  count: optional(fc.integer({ min: 0, max: 9 })),
  since: optional(time.map((at) => new Date(at).toISOString())),
  limits: optional(fc.constant([{ excludes: 'SENSITIVE' }])),
  filter: optional(fc.constantFrom('{"a":1}', "it's")),
})

/** The records of some items, as the tables have them. */
export const items = fc
  .array(fc.tuple(context, fc.array(record, { minLength: 1, maxLength: 4 })), { minLength: 1, maxLength: 60 })
  .map((list) =>
    list.map(([shared, records], at) =>
      records.map((one, number): RecordedAccess => {
        const place = {
          tenant: 'riverside',
          lane: `lane${at % 3}.1`,
          sequence: at + 1,
          index: number + 1,
          format: 1,
          part: 1,
          parts: 1,
        }
        // safe: the members that are left out here are not read by filters
        return present({ ...shared, ...one, ...place, policy: 'ab'.repeat(32) }) as unknown as RecordedAccess
      }),
    ),
  )

export { id, path, optional, present }
