import { describe, expect, it } from 'vitest'
import { Notices } from '../../../gateway/disclosure/notices.ts'
import { dentalComputed } from '../../../examples/dental/computed.ts'
import { compilePolicy } from '../../../directives/compile.ts'
import type { ComputedField } from '../../../gateway/disclosure/computed-fields.ts'
import { newDisclosureCounter } from '../../../gateway/disclosure/disclosure-counter.ts'
import { FailureReasons } from '../../../gateway/disclosure/failure-reasons.ts'
import { NODE_IDS } from '../../../gateway/access/public-ids.ts'
import { RecordValues } from '../../../gateway/disclosure/record-values.ts'
import type { RecordState } from '../../../gateway/disclosure/record-view.ts'
import type { AccessRecord } from '../../../gateway/model/access-record.ts'
import { IntegrityFailure } from '../../../gateway/model/failures.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { Instant, PatientId, RecordId, RequestId, TenantId } from '../../../gateway/model/ids.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { callerWith, factsOf, NOW } from '../../gateway/decide/clinic-policy.ts'

const { policy } = compilePolicy(
  [
    {
      name: 'test.graphql',
      sdl: `type Query { person(id: ID!): Person }
type Person @record(patient: "id") @minimumNecessary(roles: [NURSE]) {
  id: ID! @notPhi(because: "for a test")
  a: String @phi(category: CLINICAL)
  b: String @phi(category: CLINICAL)
  closed: String @phi(category: CLINICAL) @minimumNecessary(roles: [PHYSICIAN])
  both: String @phi(category: CLINICAL) @computed(from: ["Person.a", "Person.b"])
  blocked: String @phi(category: CLINICAL) @computed(from: ["Person.a", "Person.closed"])
  ungranted: String @phi(category: CLINICAL) @minimumNecessary(roles: [PHYSICIAN]) @computed(from: ["Person.a"])
}`,
    },
  ],
  { relationships: 'unchecked' },
)

/** The outcome of one field of a record with these values. An error means that the value does not open. */
function outcomeOf(field: string, values: Readonly<Record<string, Json | Error>>, compute: ComputedField) {
  const path = `Person.${field}` as SchemaPath
  const opened: string[] = []
  const noted: AccessRecord[] = []
  const state: RecordState = {
    ref: { type: 'Person' as TypeName, patient: 'p' as PatientId, id: 'p' as RecordId },
    version: 1,
    erased: false,
    listed: false,
    metadata: { open: {}, references: {} },
    facts: factsOf(['CARE_TEAM']),
    outcomes: new Map(),
  }
  const counter = newDisclosureCounter()
  const settle = () =>
    new RecordValues(
      {
        caller: callerWith(['NURSE'], 'TREAT'),
        now: NOW,
        policy,
        computed: { [path]: compute },
        ids: NODE_IDS,
        counter,
        failures: new FailureReasons({ requestId: 'r' as RequestId, tenant: 'riverside' as TenantId, events: () => undefined }),
        record: (access) => void noted.push(access),
        notices: new Notices(),
      },
      state,
      {
        version: 1,
        metadata: state.metadata,
        maxBytes: () => 0,
        value: (asked) => {
          opened.push(asked)
          const value = values[asked.slice('Person.'.length)]
          if (value instanceof Error) throw value
          return value
        },
      },
    ).settle(new Set([path]), 'RESERVED')
  return {
    settle,
    outcome: () => state.outcomes.get(path),
    opened,
    noted: () => noted.map(({ path: at, outcome, reason, rule }) => ({ at, outcome, reason, rule })),
    counter,
  }
}

const joined: ComputedField = (inputs) => inputs.map((input) => (typeof input === 'string' ? input : '-')).join('')

describe('P1: a computed value', () => {
  it('is computed from its inputs in order; a missing input is undefined', () => {
    const run = outcomeOf('both', { b: 'B' }, joined)
    run.settle()
    expect(run.outcome()).toEqual({ outcome: 'DISCLOSED', value: '-B' })
    expect(run.opened).toEqual(['Person.a', 'Person.b'])
    expect(run.noted().map(({ at, outcome }) => `${at} ${outcome}`)).toEqual([
      'Person.a ABSENT',
      'Person.b DISCLOSED',
      'Person.both DISCLOSED',
    ])
    expect(run.counter).toMatchObject({ resolved: 1, denied: 0 })
  })

  it.each([undefined, null])('is absent if its function returns %s', (given) => {
    const run = outcomeOf('both', { a: 'A', b: 'B' }, () => given)
    run.settle()
    expect(run.outcome()).toEqual({ outcome: 'ABSENT' })
  })

  it('opens nothing if an input is denied, and names the rule', () => {
    const run = outcomeOf('blocked', { a: 'A', closed: 'C' }, joined)
    run.settle()
    expect(run.outcome()).toMatchObject({ outcome: 'DENIED', denial: { reason: 'ROLE', rule: 'Person.closed#1' } })
    expect(run.opened).toEqual([])
    expect(run.noted()).toEqual([{ at: 'Person.blocked', outcome: 'DENIED', reason: 'ROLE', rule: 'Person.closed#1' }])
    expect(run.counter).toMatchObject({ resolved: 0, denied: 1 })
  })

  it('opens nothing if the value itself is denied', () => {
    const run = outcomeOf('ungranted', { a: 'A' }, joined)
    run.settle()
    expect(run.outcome()).toMatchObject({ outcome: 'DENIED', denial: { rule: 'Person.ungranted#1' } })
    expect(run.opened).toEqual([])
  })

  it('P9: is unavailable if an input is, and both are recorded', () => {
    const run = outcomeOf('both', { a: 'A', b: new IntegrityFailure() }, joined)
    run.settle()
    expect(run.outcome()).toEqual({ outcome: 'UNAVAILABLE', reason: 'INTEGRITY' })
    expect(run.noted().map(({ at, outcome }) => `${at} ${outcome}`)).toEqual([
      'Person.a DISCLOSED',
      'Person.b UNAVAILABLE',
      'Person.both UNAVAILABLE',
    ])
  })

  it('fails the whole request if its function throws', () => {
    const run = outcomeOf('both', { a: 'A', b: 'B' }, () => {
      throw new RangeError('a fault of the deployment')
    })
    expect(run.settle).toThrow(RangeError)
    expect(run.outcome()).toBeUndefined()
  })
})

describe('the age of a client', () => {
  const age = (birthDate: Json | undefined, on: number) => dentalComputed['Client.age']?.([birthDate], on as Instant)

  it.each<[Json | undefined, string, number | undefined]>([
    ['1990-06-15', '2020-06-14', 29],
    ['1990-06-15', '2020-06-15', 30],
    ['1990-06-15', '2020-12-01', 30],
    ['2000-02-29', '2021-02-28', 20],
    ['2000-02-29', '2021-03-01', 21],
    ['1990-06', '2020-06-15', undefined],
    [undefined, '2020-06-15', undefined],
    [7, '2020-06-15', undefined],
  ])('of a person born %s is on %s %s', (birthDate, on, years) => {
    expect(age(birthDate, Date.parse(on))).toBe(years)
  })
})
