import { describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { RecordLabel, Role } from '../../../directives/policy.ts'
import type { Caller } from '../../../gateway/model/decision.ts'
import type { Instant, PatientId, RecordId, RecordRef, TenantId, UserId } from '../../../gateway/model/ids.ts'
import type { TypeRules } from '../../../gateway/model/record-rules.ts'
import type { Json, RecordMetadata } from '../../../gateway/model/record.ts'
import { newRecord, patchOf } from '../../../gateway/mutations/new-version.ts'

const CODE = 'Visit.code' as SchemaPath
const TEXT = 'Visit.text' as SchemaPath
const NOW = Date.UTC(2026, 10, 1, 8) as Instant
const refTo = (type: string, id: string): RecordRef => ({ type: type as TypeName, patient: 'p' as PatientId, id: id as RecordId })
const ref = refTo('Visit', 'v')
const caller: Caller = {
  tenant: 't' as TenantId,
  user: 'u' as UserId,
  roles: new Set<Role>(),
  purpose: 'TREAT',
  mayClaim: ['TREAT'],
  fhirUser: 'Practitioner/1',
  seesExistence: true,
}
/** A code is its own label if it is in capitals. */
const rules: TypeRules = {
  from: [CODE],
  factsOf: (values) => {
    const code = values.get(CODE)
    if (typeof code !== 'string') return {}
    return { codes: [code], labels: (/^[A-Z]+$/.test(code) ? [code] : []) as RecordLabel[] }
  },
  required: [],
  compared: [],
  check: () => [],
}
const noReferences = new Map<string, RecordRef | null>()
const change = { user: 'u', at: '2026-11-01T08:00:00.000Z' }

function metadataAfter(
  former: RecordMetadata,
  before: string | undefined,
  given: readonly (readonly [SchemaPath, Json | null])[],
): RecordMetadata {
  const values = new Map(given)
  const patch = patchOf({ ref, given: values, references: noReferences, rules, caller, now: NOW })
  const after = values.has(CODE) ? (values.get(CODE) ?? undefined) : before
  return patch.metadataOf(
    former,
    (path) => (path === CODE ? before : undefined),
    (path) => (path === CODE ? after : undefined),
  )
}

describe('the first version of a record', () => {
  it('has the facts of its values, its author and its change', () => {
    const values = new Map<SchemaPath, Json>([[CODE, 'HIV']])
    const references = new Map([['encounter', refTo('Encounter', 'e')]])
    expect(newRecord({ ref, values, references, rules, caller, now: NOW }).metadata).toEqual({
      open: {},
      references: { encounter: 'e' },
      codes: ['HIV'],
      labels: ['HIV'],
      author: 'Practitioner/1',
      change,
    })
  })

  it('of a type without rules has neither date nor labels', () => {
    expect(newRecord({ ref, values: new Map(), references: noReferences, rules: undefined, caller, now: NOW }).metadata).toEqual({
      open: {},
      references: {},
      author: 'Practitioner/1',
      change,
    })
  })
})

describe('the next version of a record', () => {
  const own: RecordMetadata = {
    open: {},
    references: {},
    codes: ['HIV'],
    labels: ['HIV'] as RecordLabel[],
    author: 'Practitioner/9',
  }

  it('keeps the facts, the labels and the author if their values stay', () => {
    expect(metadataAfter(own, 'HIV', [[TEXT, 'x']])).toEqual({ ...own, change })
  })

  it('C19: a corrected code has the labels of the new code', () => {
    expect(metadataAfter(own, 'HIV', [[CODE, 'SDV']])).toMatchObject({ codes: ['SDV'], labels: ['SDV'] })
    expect(metadataAfter(own, 'HIV', [[CODE, 'cold']])).toMatchObject({ codes: ['cold'], labels: [] })
    expect(metadataAfter({ ...own, codes: ['cold'], labels: [] }, 'cold', [[CODE, 'HIV']])).toMatchObject({ labels: ['HIV'] })
  })

  it('C19: an imported record keeps every label, because its source may have marked it', () => {
    const imported = { ...own, source: 'digest' }
    expect(metadataAfter(imported, 'HIV', [[CODE, 'cold']])).toMatchObject({ codes: ['cold'], labels: ['HIV'] })
    expect(metadataAfter(imported, 'HIV', [[CODE, 'SDV']])).toMatchObject({ labels: ['HIV', 'SDV'] })
  })

  it('keeps what an import knows beyond the values', () => {
    const imported = { ...own, source: 'digest', categories: ['laboratory', 'exam'] }
    expect(metadataAfter(imported, 'HIV', [[CODE, 'cold']])).toMatchObject({ categories: ['laboratory', 'exam'], source: 'digest' })
  })

  it('a cleared value takes its facts away', () => {
    const after = metadataAfter(own, 'HIV', [[CODE, null]])
    expect(after).not.toHaveProperty('codes')
    expect(after.labels).toEqual([])
  })

  it('changes and removes references', () => {
    const former = { ...own, references: { encounter: 'e' as RecordId, site: 's' as RecordId } }
    const references = new Map<string, RecordRef | null>([
      ['encounter', refTo('Encounter', 'f')],
      ['site', null],
    ])
    const patch = patchOf({ ref, given: new Map(), references, rules, caller, now: NOW })
    expect(
      patch.metadataOf(
        former,
        () => undefined,
        () => undefined,
      ).references,
    ).toEqual({ encounter: 'f' })
  })

  it('P1: asks for no value unless a fact follows from a given one', () => {
    expect(patchOf({ ref, given: new Map([[TEXT, 'x']]), references: noReferences, rules, caller, now: NOW }).from).toEqual([])
    expect(patchOf({ ref, given: new Map([[CODE, 'x']]), references: noReferences, rules, caller, now: NOW }).from).toEqual([CODE])
  })
})
