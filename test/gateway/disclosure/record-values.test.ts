import { describe, expect, it } from 'vitest'
import { Notices } from '../../../gateway/disclosure/notices.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Sensitivity } from '../../../directives/policy.ts'
import { NODE_IDS } from '../../../gateway/access/public-ids.ts'
import type { ComputedFields } from '../../../gateway/disclosure/computed-fields.ts'
import { newDisclosureCounter } from '../../../gateway/disclosure/disclosure-counter.ts'
import { FailureReasons } from '../../../gateway/disclosure/failure-reasons.ts'
import type { Reserved } from '../../../gateway/disclosure/phi-budget.ts'
import { existenceOf, RecordValues } from '../../../gateway/disclosure/record-values.ts'
import type { RecordState } from '../../../gateway/disclosure/record-view.ts'
import type { AccessRecord } from '../../../gateway/model/access-record.ts'
import type { Caller, Facts } from '../../../gateway/model/decision.ts'
import { Erased, IntegrityFailure, KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { PatientId, RequestId } from '../../../gateway/model/ids.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { compile } from '../../directives/clinic-fixture.ts'
import { RIVERSIDE } from '../crypto/key-fixtures.ts'
import { callerWith, factsOf, NOW } from '../decide/clinic-policy.ts'
import { names, refOf } from './request-fixtures.ts'

const { policy } = compile(`scalar PartialDate
type Query { person(id: ID!): Person }
type Person @record(patient: "id") @minimumNecessary(roles: [PHYSICIAN]) {
  id: ID! @notPhi(because: "for a test")
  name: String @phi(category: IDENTITY, identifier: NAME)
  ssn: String @phi(category: IDENTITY, identifier: SSN) @minimumNecessary(roles: [PHYSICIAN], view: LAST4)
  born: PartialDate @phi(category: IDENTITY, identifier: DATE) @minimumNecessary(roles: [PHYSICIAN], view: YEAR)
  salary: String @phi(category: FINANCIAL) @minimumNecessary(roles: [BILLING], purposes: [HPAYMT], relationship: ORGANIZATION)
  drugs: String @phi(category: CLINICAL, sensitivity: ETH)
  greeting: String @phi(category: IDENTITY) @computed(from: ["Person.name"])
  hint: String @phi(category: IDENTITY) @computed(from: ["Person.name", "Person.ssn"])
  zip: String @phi(category: CONTACT) @minimumNecessary(roles: [PHYSICIAN], view: ZIP3)
    @minimumNecessary(roles: [NURSE], view: ZIP3)
  country: String @phi(category: CONTACT) @minimumNecessary(roles: [PHYSICIAN])
    @minimumNecessary(roles: [NURSE], view: PSEUDONYM)
  notes: NoteConnection @phi(category: NOTE)
}
type Note @record { id: ID! @notPhi(because: "for a test") text: String @phi(category: NOTE) @minimumNecessary(roles: [PHYSICIAN]) }
type NoteConnection { edges: [NoteEdge!]! pageInfo: PageInfo! mayBeIncomplete: Boolean! }
type NoteEdge { cursor: String! node: Note }
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }`)

const ref = refOf('Person', 'patient-1' as PatientId)
const VALUES: Readonly<Record<string, Json | Error>> = { name: 'Ada', ssn: '123-45-6789', salary: '10', drugs: 'none' }
const COMPUTED = {
  'Person.greeting': ([name]) => (typeof name === 'string' ? `Dr. ${name}` : undefined),
  'Person.hint': (inputs) => inputs.length,
} satisfies ComputedFields

interface Case {
  readonly caller?: Caller
  readonly facts?: Facts
  readonly values?: Readonly<Record<string, Json | Error>>
  readonly reserved?: Reserved
  readonly erased?: boolean
}

/** A record of version 7 that counts its openings, and the values of a request to it. */
function recordWith({
  caller = callerWith(['PHYSICIAN'], 'TREAT'),
  facts = factsOf(['CARE_TEAM']),
  values = VALUES,
  erased,
}: Case) {
  const metadata = { open: {}, references: {} }
  const state: RecordState = { ref, version: 7, erased: erased === true, listed: false, metadata, facts, outcomes: new Map() }
  const openings: string[] = []
  const recorded: AccessRecord[] = []
  const counter = newDisclosureCounter()
  const notices = new Notices()
  const failures = new FailureReasons({ requestId: 'r' as RequestId, tenant: RIVERSIDE, events: () => undefined })
  const record = (access: AccessRecord): void => void recorded.push(access)
  const parts = { caller, now: NOW, policy, computed: COMPUTED, ids: NODE_IDS, counter, failures, record, notices }
  const value = (path: SchemaPath): Json | undefined => {
    openings.push(path)
    const found = values[path.slice('Person.'.length)]
    if (found instanceof Error) throw found
    return found
  }
  const maxBytes = (path: SchemaPath): number => JSON.stringify(values[path.slice('Person.'.length)] ?? '').length
  return {
    record: new RecordValues(parts, state, { version: 7, metadata, maxBytes, value }),
    state,
    openings,
    recorded,
    counter,
    notices,
  }
}

const paths = (...fields: string[]): ReadonlySet<SchemaPath> => new Set(fields.map((field) => `Person.${field}` as SchemaPath))

/** The outcome of one field, the openings that it took, and its audit. */
function outcomeOf(field: string, one: Case = {}) {
  const { record, state, ...rest } = recordWith(one)
  const granted = record.granted(paths(field))
  record.settle(paths(field), one.reserved ?? 'RESERVED')
  return { outcome: state.outcomes.get(`Person.${field}` as SchemaPath), granted, ...rest }
}

describe('P1: no permit, no plaintext', () => {
  it('opens a granted value once, however often it is settled', () => {
    const { record, openings, recorded } = recordWith({})
    record.settle(paths('name'), 'RESERVED')
    record.settle(paths('name'), 'RESERVED')
    expect(openings).toEqual(['Person.name'])
    expect(recorded).toHaveLength(1)
  })

  it.each<[string, Case]>([
    ['role', { caller: callerWith(['NURSE'], 'TREAT') }],
    ['purpose', { caller: callerWith(['PHYSICIAN'], 'HPAYMT') }],
    ['relationship', { facts: factsOf([]) }],
    ['consent', { facts: { ...factsOf(['CARE_TEAM']), consent: { rules: policy.consent, given: [{ id: 'c', effect: 'DENY' }] } } }],
  ])('opens no value without a permit: %s', (reason, one) => {
    const { outcome, openings, granted, recorded, counter } = outcomeOf('name', one)
    expect(outcome).toMatchObject({ outcome: 'DENIED', denial: { reason: reason.toUpperCase() } })
    expect({ openings, granted }).toEqual({ openings: [], granted: 0 })
    expect(recorded).toMatchObject([{ outcome: 'DENIED', reason: reason.toUpperCase(), recordVersion: 7 }])
    expect(counter).toMatchObject({ denied: 1, resolved: 0 })
  })

  it('opens no value of a field that the policy does not know', () => {
    const { outcome, openings } = outcomeOf('unknown')
    expect(outcome).toMatchObject({ outcome: 'DENIED', denial: { reason: 'UNKNOWN_FIELD' } })
    expect(openings).toEqual([])
  })

  it('opens no value while the relationship or the consents are unknown', () => {
    const unknown = { ...factsOf([]), unknown: names('CARE_TEAM') }
    const withoutConsents = { ...factsOf(['CARE_TEAM']), consent: { rules: policy.consent, given: undefined } }
    for (const [field, facts] of [
      ['name', unknown],
      ['drugs', withoutConsents],
    ] as const) {
      const { outcome, openings, recorded } = outcomeOf(field, { facts })
      expect(outcome).toEqual({ outcome: 'UNAVAILABLE', reason: 'STORE' })
      expect(openings).toEqual([])
      expect(recorded).toMatchObject([{ outcome: 'UNAVAILABLE', reason: 'STORE' }])
    }
  })

  it('opens no value beyond the budget, or while the budget is unknown', () => {
    expect(outcomeOf('name', { reserved: 'SPENT' })).toMatchObject({
      outcome: { outcome: 'DENIED', denial: { reason: 'BUDGET' } },
      openings: [],
      granted: 1,
    })
    expect(outcomeOf('name', { reserved: 'UNKNOWN' })).toMatchObject({ outcome: { outcome: 'UNAVAILABLE' }, openings: [] })
  })

  it('decides an edge without opening anything', () => {
    const { outcome, openings, granted, recorded } = outcomeOf('notes')
    expect(outcome).toMatchObject({ outcome: 'PERMITTED', permit: { basis: 'CARE_TEAM' } })
    expect({ openings, granted, recorded }).toEqual({ openings: [], granted: 0, recorded: [] })
  })

  it('reserves and opens the inputs of a computed value, and counts only the disclosed value', () => {
    const { outcome, openings, granted, recorded, counter } = outcomeOf('greeting')
    expect(outcome).toEqual({ outcome: 'DISCLOSED', value: 'Dr. Ada' })
    expect({ openings, granted }).toEqual({ openings: ['Person.name'], granted: 2 })
    expect(recorded.map(({ path }) => path)).toEqual(['Person.name', 'Person.greeting'])
    expect(counter.resolved).toBe(1)
  })

  it('opens no input of a computed value if one of them is masked', () => {
    const { outcome, openings, granted } = outcomeOf('hint')
    expect(outcome).toMatchObject({ outcome: 'DENIED', denial: { reason: 'ROLE' } })
    expect({ openings, granted }).toEqual({ openings: [], granted: 0 })
  })
})

describe('the size of a value before it is opened', () => {
  const sizeOf = (field: string, one: Case = {}) => {
    const { record, openings } = recordWith(one)
    const size = record.size(`Person.${field}` as SchemaPath)
    expect(openings).toEqual([])
    return size
  }
  const LONG = 'x'.repeat(1_000)

  it('is its stored length, or that of the inputs of a computed value', () => {
    expect(sizeOf('name')).toEqual({ kind: 'GIVEN', bytes: 5 })
    expect(sizeOf('greeting')).toEqual({ kind: 'GIVEN', bytes: 5 })
    expect(sizeOf('notes')).toEqual({ kind: 'GIVEN', bytes: 0 })
  })

  it('P5: says nothing of a value that is denied, erased or not known to be granted', () => {
    const unknown = { ...factsOf([]), unknown: names('CARE_TEAM') }
    const not = { kind: 'NOT_GIVEN' }
    expect([sizeOf('salary'), sizeOf('hint'), sizeOf('name', { erased: true }), sizeOf('name', { facts: unknown })]).toEqual([
      not,
      not,
      not,
      not,
    ])
  })

  it('P5: does not follow a value that is masked, unless the view shows its length', () => {
    expect(sizeOf('ssn')).toEqual({ kind: 'MASKED', bytes: 13 })
    expect(sizeOf('born', { values: { born: '2001-02-03' } })).toEqual(sizeOf('born', { values: { born: LONG } }))
  })
})

describe('P9: the outcomes of a value are different, for the answer and in the audit', () => {
  it.each<[string, string, Case, object, object]>([
    ['disclosed', 'name', {}, { outcome: 'DISCLOSED', value: 'Ada' }, { view: 'FULL', basis: 'CARE_TEAM' }],
    ['masked', 'ssn', {}, { outcome: 'MASKED', value: '***-**-6789', view: 'LAST4' }, { view: 'LAST4' }],
    ['denied', 'salary', {}, { outcome: 'DENIED' }, { reason: 'ROLE' }],
    ['absent', 'name', { values: {} }, { outcome: 'ABSENT' }, { basis: 'CARE_TEAM' }],
    ['erased', 'name', { values: { name: new Erased() } }, { outcome: 'ERASED' }, {}],
    ['unavailable', 'name', { values: { name: new IntegrityFailure() } }, { outcome: 'UNAVAILABLE', reason: 'INTEGRITY' }, {}],
    ['without a key', 'name', { values: { name: new KeyUnavailable() } }, { outcome: 'UNAVAILABLE', reason: 'KEY' }, {}],
    ['computed from an erased one', 'greeting', { values: { name: new Erased() } }, { outcome: 'ERASED' }, {}],
  ])('%s', (_, field, one, outcome, audit) => {
    const result = outcomeOf(field, one)
    expect(result.outcome).toMatchObject(outcome)
    expect(result.recorded.at(-1)).toMatchObject({
      patient: ref.patient,
      recordType: 'Person',
      recordVersion: 7,
      path: `Person.${field}`,
      outcome: result.outcome?.outcome,
      ...audit,
    })
  })

  it('an erased record needs no reservation, and yields only the outcome ERASED', () => {
    const result = outcomeOf('name', { erased: true, reserved: 'UNKNOWN', values: { name: new Erased() } })
    expect(result).toMatchObject({ outcome: { outcome: 'ERASED' }, granted: 0, counter: { resolved: 0 } })
    expect(outcomeOf('notes', { erased: true, values: { notes: new Erased() } }).outcome).toEqual({ outcome: 'ERASED' })
  })

  it('a fault of the gateway is no outcome: the request fails', () => {
    expect(() => outcomeOf('name', { values: { name: new TypeError('fault') } })).toThrow(TypeError)
  })

  it('a record without a selected value is audited as disclosed, by its id', () => {
    const { record, recorded, openings } = recordWith({})
    record.settle(new Set([existenceOf(ref)]), 'RESERVED')
    expect(recorded).toMatchObject([{ path: 'Person.id', outcome: 'DISCLOSED' }])
    expect(openings).toEqual([])
  })
})

it('42 CFR 2.32: a disclosed value of a labeled record carries its notice, and a denied one does not', () => {
  const record = { id: ref.id, labels: new Set(['ETH'] as Sensitivity[]) }
  const consent = {
    rules: policy.consent,
    given: [{ id: 'c1', effect: 'PERMIT', labels: ['ETH'] as Sensitivity[] }],
    record,
  } as const
  const facts = { ...factsOf(['CARE_TEAM']), consent }
  expect(outcomeOf('name', { facts }).notices.all()).toEqual([{ text: expect.stringContaining('42 CFR part 2') as string }])
  expect(outcomeOf('name', { facts }).recorded).toMatchObject([{ basis: 'CONSENT', basisId: 'c1' }])
  expect(outcomeOf('salary', { facts }).notices.all()).toEqual([])
})
