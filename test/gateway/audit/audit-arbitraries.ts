import fc from 'fast-check'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import { type AuditContext, type TimedAccess } from '../../../gateway/audit/entry.ts'
import { NOTHING_BEFORE } from '../../../gateway/audit/verify/item.ts'
import type { ItemParts } from '../../../gateway/audit/item.ts'
import type { ItemDraft, Placement } from '../../../gateway/audit/item-draft.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import { linkItems } from '../../../gateway/audit/transaction.ts'
import { UserAgents } from '../../../gateway/audit/user-agents.ts'
import type { Instant, TenantId } from '../../../gateway/model/ids.ts'
import { context, NOON } from './examples.ts'

/** An access and its place among the items of a request. */
export interface PlacedAccess {
  readonly record: TimedAccess
  readonly placement: Placement
}

/**
 * `leftOut` states whether records may be left out of the answer. `accesses` are those of one request, in the order of recording.
 */
export interface RequestSample {
  readonly context: AuditContext
  readonly leftOut: 'POSSIBLE' | 'NEVER'
  readonly accesses: readonly PlacedAccess[]
}

/** Any text, including halves of surrogate pairs and characters with a meaning in keys, paths and JSON. */
const texts = fc.oneof(
  fc.string({ maxLength: 12, unit: 'binary' }),
  fc
    .array(fc.oneof(fc.constantFrom(0x61, 0xd83e, 0xddea), fc.integer({ min: 0xd7ff, max: 0xe000 })), { maxLength: 4 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom('', '.', '#1', 'Patient.', '__proto__', 'null', '"q":"', 'a#b', '\u2028', '\n', 'x'.repeat(200)),
)

const paths = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.constantFrom(
      'Patient.ssn',
      'Patient.birthDate',
      'Observation.code',
      'Observation',
      'Query.patient',
      'PatientLink.a.b',
    ),
  },
  { weight: 1, arbitrary: fc.constant(`Observation.${'component.'.repeat(150)}value`) },
) as fc.Arbitrary<SchemaPath>
const ids = fc.oneof(fc.constantFrom('AAECAwQFBgcICQoLDA0ODw', 'EBESExQVFhcYGRobHB0eHw'), texts)
const instants = fc.integer({ min: 0, max: 1e14 }) as fc.Arbitrary<Instant>

/** The members of a record that belong to the FHIR record and the basis. */
const heads = fc.record(
  {
    patient: fc.constantFrom('AAECAwQFBgcICQoLDA0ODw', 'EBESExQVFhcYGRobHB0eHw', 'x\ud83e'),
    recordType: fc.constantFrom('Patient', 'Observation'),
    recordId: ids,
    recordVersion: fc.nat(3),
    listed: fc.boolean(),
    origin: texts,
    basis: fc.constantFrom('CARE_TEAM', 'CONSENT'),
    basisId: texts,
    since: instants,
    limits: fc.array(fc.record({ categories: fc.constant([]), labeled: fc.boolean() }), { maxLength: 2 }),
  },
  { requiredKeys: [] },
)

/** The members of a record that belong to its path. */
const shapes = fc.record(
  {
    path: paths,
    action: fc.constantFrom('READ', 'UPDATE', 'SEARCH'),
    outcome: fc.constantFrom('DISCLOSED', 'DISCLOSED', 'MASKED', 'DENIED', 'ABSENT', 'ERASED', 'UNAVAILABLE', 'WRITTEN'),
    paths: fc.array(paths, { maxLength: 3 }),
    view: fc.constantFrom('FULL', 'YEAR'),
    reason: fc.constantFrom('CONSENT', 'NOT_FOUND', 'CONTRACT'),
    rule: fc.tuple(paths, fc.integer({ min: 1, max: 3 })).map(([path, place]) => `${path}#${place}`),
    count: fc.nat(100_000),
  },
  { requiredKeys: ['path', 'action', 'outcome'] },
)

/** Records with few distinct heads and shapes, in any order. They share groups, and the groups alternate. */
const records = fc
  .tuple(fc.array(heads, { minLength: 1, maxLength: 4 }), fc.array(shapes, { minLength: 1, maxLength: 12 }))
  .map(([some, several]) => {
    const at = fc.integer({ min: NOON, max: NOON + 9_999 }) as fc.Arbitrary<Instant>
    return fc
      .tuple(at, fc.constantFrom(...some), fc.constantFrom(...several))
      .map(([time, head, shape]) => ({ at: time, ...head, ...shape }))
  })

const placements: fc.Arbitrary<Placement> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Placement>({ kind: 'WITH_PATIENT' }) },
  { weight: 2, arbitrary: fc.constant<Placement>({ kind: 'LEFT_OUT' }) },
  { weight: 1, arbitrary: fc.constantFrom('one', 'two').map((id): Placement => ({ kind: 'REFUSED', id })) },
)

const contexts = fc
  .record(
    {
      user: texts,
      roles: fc.array(texts, { maxLength: 2 }),
      purpose: fc.constantFrom('TREAT', 'HRESCH'),
      persisted: fc.boolean(),
      policy: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      traceId: texts,
      organization: texts,
      client: texts,
      app: texts,
      appVersion: texts,
      contract: fc.constantFrom('fb'.repeat(32), '00'.repeat(32)),
      session: texts,
      authTime: instants,
      mfa: fc.boolean(),
      study: texts,
      sourceIp: texts,
      userAgent: texts,
      operation: texts,
      operationHash: fc.constant('ff'.repeat(32)),
    },
    { requiredKeys: ['user', 'roles', 'purpose', 'persisted', 'policy'] },
  )
  .map((members) => context(members as Partial<AuditContext>))

/** @param most the maximum number of accesses */
export const samples = (most: number): fc.Arbitrary<RequestSample> =>
  records.chain((record) =>
    fc.record({
      context: contexts,
      leftOut: fc.constantFrom('POSSIBLE', 'NEVER'),
      accesses: fc.array(fc.record({ record, placement: placements }), { minLength: 1, maxLength: most, size: 'max' }),
    }),
  ) as unknown as fc.Arbitrary<RequestSample>

/** The items of a request before they have a place in the log, in the order of sending. */
export function packed({ context: about, leftOut, accesses }: RequestSample): ItemDraft[] {
  const packer = new ItemPacker(about, leftOut)
  const full = accesses.flatMap(({ record, placement }) => packer.add(record, placement) ?? [])
  return [...full, ...packer.rest()]
}

/** The items of a lane, from the first. */
export function linked(drafts: readonly ItemDraft[], lane: string, succeeds?: string): ItemParts[] {
  const userAgents = new UserAgents()
  userAgents.begin()
  return linkItems({ tenant: 'riverside' as TenantId, lane, succeeds, sequence: 0, prev: NOTHING_BEFORE }, { drafts }, userAgents)
}
