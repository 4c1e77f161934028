import fc from 'fast-check'
import type { AuditContext, AuditEntry, TimedAccess } from '../../../../gateway/audit/entry.ts'
import { entriesOf, type ItemParts, toItem } from '../../../../gateway/audit/item.ts'
import type { Placement } from '../../../../gateway/audit/item-draft.ts'
import type { Instant } from '../../../../gateway/model/ids.ts'
import { linked, packed, type PlacedAccess, type RequestSample } from '../../audit/audit-arbitraries.ts'
import { context, NOON } from '../../audit/examples.ts'

const base64url = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((some) => Buffer.from(some).toString('base64url'))

/** Types of records: of FHIR, of the gateway, and of another schema. */
const types = fc.constantFrom('Patient', 'Observation', 'Condition', 'DocumentReference', 'BreakGlassGrant', 'ToothChart')
const purposes = fc.constantFrom('TREAT', 'ETREAT', 'BTG', 'HPAYMT', 'HOPERAT', 'HRESCH', 'PATRQT', 'PUBHLTH')
const sources = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom(
    '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
    'fe80::1%a-zone-with-a-very-long-name-of-an-interface',
    'localhost',
    '',
  ),
)
/** Texts that a client chooses: also empty, with characters that FHIR excludes, or of a spreadsheet's formulas. */
const chosen = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    '',
    ' ',
    '=1+1',
    "'quoted",
    '+a',
    '-b',
    '@c',
    '\tt',
    '\r\n',
    '"x",y',
    '\u0000\u0001',
    '\u00a0',
    '\u2028x',
    '\ud83e\uddea',
  ),
)

const contexts: fc.Arbitrary<AuditContext> = fc
  .record(
    {
      requestId: base64url(18),
      user: fc.oneof({ weight: 9, arbitrary: fc.uuid() }, { weight: 1, arbitrary: chosen }),
      roles: fc.subarray(['PHYSICIAN', 'NURSE', 'PATIENT', 'AUDITOR', 'odd role\u00a0', ''], { maxLength: 2 }),
      purpose: purposes,
      persisted: fc.boolean(),
      policy: fc.constant('ab'.repeat(32)),
      traceId: fc.constant('4bf92f3577b34da6a3ce929d0e0e4736'),
      organization: chosen,
      client: fc.oneof(fc.constantFrom('acme', 'riverside-portal'), chosen),
      app: chosen,
      appVersion: chosen,
      contract: fc.constant('cd'.repeat(32)),
      session: fc.uuid(),
      authTime: fc.constant(NOON),
      mfa: fc.boolean(),
      study: fc.constantFrom('NCT00000000'),
      sourceIp: sources,
      userAgent: chosen,
      operation: fc.oneof(fc.constant('PatientChart'), chosen),
      operationHash: fc.constant('ef'.repeat(32)),
    },
    { requiredKeys: ['requestId', 'user', 'roles', 'purpose', 'persisted', 'policy'] },
  )
  .chain((members) =>
    // one in four callers is a partner; the ids have no brands
    fc
      .constantFrom(false, false, false, true)
      .map((isPartner) =>
        context({ ...members, roles: isPartner ? ['PARTNER'] : members.roles } as unknown as Partial<AuditContext>),
      ),
  )

/** Members that belong together: an action, its outcome and reason, its basis. */
const granted = fc.record(
  {
    action: fc.constantFrom('READ', 'READ', 'READ', 'SEARCH', 'EXPORT'),
    outcome: fc.constantFrom('DISCLOSED', 'DISCLOSED', 'MASKED', 'ABSENT'),
    view: fc.constantFrom('FULL', 'YEAR'),
    rule: fc.constant('Patient.birthDate#2'),
    basis: fc.constantFrom('CARE_TEAM', 'CONSENT', 'BREAK_GLASS', 'PROXY', 'STUDY'),
    basisId: base64url(16),
    since: fc.constant(NOON),
    limits: fc.constant([{ categories: ['LABORATORY'], labeled: false }]),
    count: fc.nat(100),
    paths: fc.constant(['Patient.familyName', 'Patient.birthDate']),
  },
  { requiredKeys: ['action', 'outcome'] },
)
const refused = fc.record(
  {
    action: fc.constantFrom('READ', 'READ', 'SEARCH', 'UPDATE'),
    outcome: fc.constant('DENIED'),
    reason: fc.constantFrom(
      'ROLE',
      'PURPOSE',
      'RELATIONSHIP',
      'CONSENT',
      'MFA',
      'STEP_UP',
      'BUDGET',
      'SIZE',
      'CONTRACT',
      'UNKNOWN_FIELD',
    ),
    rule: fc.constant('Patient.ssn#1'),
  },
  { requiredKeys: ['action', 'outcome'] },
)
const written = fc.record({
  action: fc.constantFrom('CREATE', 'UPDATE', 'DELETE'),
  outcome: fc.constant('WRITTEN'),
  paths: fc.constant(['Patient.ssn']),
})
const others = fc.oneof(
  fc.record({ action: fc.constant('READ'), outcome: fc.constant('ERASED'), rule: fc.constant('Patient.ssn#1') }),
  fc.record({
    action: fc.constant('READ'),
    outcome: fc.constant('UNAVAILABLE'),
    reason: fc.constantFrom('INTEGRITY', 'KEY', 'STORE', 'VERSION', 'SIZE'),
  }),
  fc.record({
    action: fc.constant('REVIEW'),
    outcome: fc.constantFrom('REVIEWED', 'DENIED', 'UNAVAILABLE'),
    path: fc.constant('AuditLog.fieldAccesses'),
  }),
  fc.record({ action: fc.constant('A LATER ACTION'), outcome: fc.constantFrom('A_LATER_OUTCOME', 'DISCLOSED') }),
)

const records = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        recordType: types,
        recordId: base64url(16),
        recordVersion: fc.integer({ min: 1, max: 3 }),
        listed: fc.boolean(),
        field: fc.constantFrom('birthDate', 'ssn', 'code', 'value', 'id'),
      })
      .map(({ field, ...record }) => ({ ...record, path: `${record.recordType}.${field}` })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { path: 'Query.patient' },
      { path: 'Query.patients', origin: 'epic' },
      { path: 'Consent' },
      { path: '#operation' },
    ),
  },
)

const accesses = (patients: readonly (string | undefined)[]): fc.Arbitrary<PlacedAccess> =>
  fc
    .record({
      patient: fc.constantFrom(...patients),
      record: records,
      members: fc.oneof(
        { weight: 12, arbitrary: granted },
        { weight: 4, arbitrary: written },
        { weight: 2, arbitrary: refused },
        { weight: 1, arbitrary: others },
      ),
      at: fc.integer({ min: NOON, max: NOON + 9_999 }),
      isNotFound: fc.integer({ min: 0, max: 39 }).map((number) => number === 0),
    })
    .map(({ patient, record, members, at, isNotFound }) => {
      const missing = { patient: 'a-hash-of-the-id', path: 'Patient.id', action: 'READ', outcome: 'DENIED', reason: 'NOT_FOUND' }
      const shown = isNotFound ? missing : { ...(patient !== undefined && { patient }), ...record, ...members }
      const placement: Placement = isNotFound ? { kind: 'REFUSED', id: 'one' } : { kind: 'WITH_PATIENT' }
      // a later writer can add actions and outcomes that the types do not have
      return { record: { at: at as Instant, ...shown } as unknown as TimedAccess, placement }
    })

/** Requests like those of a clinic, with every action and outcome. */
export const requests: fc.Arbitrary<RequestSample> = fc.array(base64url(16), { minLength: 1, maxLength: 3 }).chain((patients) =>
  fc.record({
    context: contexts,
    leftOut: fc.constantFrom('POSSIBLE', 'NEVER'),
    accesses: fc.array(accesses([...patients, ...patients, undefined]), { minLength: 1, maxLength: 12 }),
  }),
)

/** The records of some requests, as a reader of the log returns them. */
export function entriesOfRequests(some: readonly RequestSample[], lane = 'kakjK50G.1'): readonly AuditEntry[] {
  return linked(some.flatMap(packed), lane).flatMap((item: ItemParts) => entriesOf(toItem(item)))
}

/** The records of requests from a seed, at least so many. */
export function sampledEntries(count: number, seed: number): readonly AuditEntry[] {
  const entries: AuditEntry[] = []
  for (let round = 0; entries.length < count; round++)
    entries.push(...entriesOfRequests(fc.sample(requests, { numRuns: 20, seed: seed + round }), `kakjK50G.${String(round)}`))
  return entries
}
