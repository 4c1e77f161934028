import { describe, expect, it } from 'vitest'
import type { RecordLabel, Relationship, Role, Sensitivity } from '../../../directives/policy.ts'
import type { SubjectAttributes } from '../../../gateway/access/attribute-loader.ts'
import { authorRelationship } from '../../../gateway/access/author.ts'
import type { RelationshipSource } from '../../../gateway/access/relationships.ts'
import { RecordVisibility } from '../../../gateway/disclosure/record-visibility.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import type { Caller } from '../../../gateway/model/decision.ts'
import type { Instant, PatientId, RecordId } from '../../../gateway/model/ids.ts'
import type { ListedRecord } from '../../../gateway/model/list.ts'
import type { RecordMetadata } from '../../../gateway/model/record.ts'
import { callerWith, NOW } from '../decide/clinic-policy.ts'
import { contractWith } from '../decide/contracts.ts'
import { AUTHOR, names, PATIENT, PHYSICIAN, policy, refOf, relatedTo } from './request-fixtures.ts'

const BILLING = callerWith(['BILLING'], 'HPAYMT', { seesExistence: true })
const IN_EMERGENCY = { ...PHYSICIAN, purpose: 'BTG' } as const
const PATIENT_ID = 'patient-1' as PatientId
const person = refOf('Person', PATIENT_ID)
const note = refOf('Note', PATIENT_ID, 'note-1')
const breakGlass = { grant: 'bg-1', until: (NOW + 1) as Instant }
const labeled = (...labels: string[]) => ({ id: note.id, labels: new Set(labels as Sensitivity[]) })

const RELATIONSHIPS = new Map<Relationship, RelationshipSource>([
  ['CARE_TEAM' as Relationship, relatedTo({})],
  ['SELF' as Relationship, relatedTo({})],
  ['AUTHOR' as Relationship, authorRelationship],
])

const visibilityFor = (caller: Caller): RecordVisibility =>
  new RecordVisibility({ caller, now: NOW, policy, relationships: RELATIONSHIPS })

const attributes = (relationships: readonly string[], more: Partial<SubjectAttributes> = {}): SubjectAttributes => ({
  relationships: names(...relationships),
  consents: [],
  ...more,
})

const permit = (...labels: string[]): Consent => ({ id: 'c1', effect: 'PERMIT', labels: labels as Sensitivity[] })
const deny = (more: Partial<Consent> = {}): Consent => ({ id: 'c2', effect: 'DENY', ...more })
const onlyUnlabeled = new Map([['CARE_TEAM' as Relationship, [{ categories: ['NOTE' as const], labeled: false }]]])

describe('P5: a record is visible only to a caller that may know of it', () => {
  it.each([
    ['a physician on the care team', PHYSICIAN, note, ['CARE_TEAM'], 'VISIBLE'],
    ['a physician without a relationship', PHYSICIAN, note, [], 'HIDDEN'],
    ['a physician with a relationship that opens nothing of the type', PHYSICIAN, note, ['SELF'], 'HIDDEN'],
    ['a role that sees existence, for the patient record', PHYSICIAN, person, [], 'VISIBLE'],
    ['a role that sees existence, without any grant', BILLING, person, [], 'VISIBLE'],
    ['a role that sees existence, for another record', BILLING, note, ['ORGANIZATION'], 'HIDDEN'],
    ['a patient, for the own record', PATIENT, person, ['SELF'], 'VISIBLE'],
    ['a patient, for the record of another patient', PATIENT, person, [], 'HIDDEN'],
    ['a caller that may open the record as its author', AUTHOR, note, [], 'BY_RECORD'],
    ['an author, for a type without a grant to authors', AUTHOR, person, [], 'HIDDEN'],
  ])('%s', (_, caller, ref, relationships, kind) => {
    expect(visibilityFor(caller).verdictFor(ref, undefined, attributes(relationships)).kind).toBe(kind)
  })

  it('a list or a break-glass grant makes the record visible', () => {
    const visibility = visibilityFor(IN_EMERGENCY)
    expect(visibility.verdictFor(note, 0, attributes([])).kind).toBe('VISIBLE')
    expect(visibility.verdictFor(note, undefined, attributes([], { breakGlass })).kind).toBe('VISIBLE')
    expect(visibility.verdictFor(note, undefined, attributes([])).kind).toBe('HIDDEN')
  })

  it('a missing access manifest lets the source look for the record, and does not make it visible', () => {
    const missing = attributes([], { damage: 'NO_MANIFEST' })
    expect(visibilityFor(PATIENT).isVisible(person, undefined, missing)).toBe(true)
    expect(visibilityFor(PATIENT).verdictFor(person, undefined, missing).kind).toBe('HIDDEN')
    expect(visibilityFor(PATIENT).isVisible(person, undefined, attributes([], { damage: 'TAMPERED' }))).toBe(false)
    expect(visibilityFor(PATIENT).isVisible(person, undefined, undefined)).toBe(false)
  })

  it('only the author of a record has a relationship to it', () => {
    const metadata: RecordMetadata = { open: {}, references: {} }
    const visibility = visibilityFor(AUTHOR)
    expect([...visibility.byRecord(note.type, { ...metadata, author: 'Practitioner/1' })]).toEqual(['AUTHOR'])
    expect([...visibility.byRecord(note.type, { ...metadata, author: 'Practitioner/2' })]).toEqual([])
    expect([...visibility.byRecord(note.type, metadata)]).toEqual([])
    // no grant of this role rests on authorship
    expect([...visibilityFor(PHYSICIAN).byRecord(note.type, { ...metadata, author: 'Practitioner/1' })]).toEqual([])
  })
})

describe('P3: a relationship admits only with a grant for role and purpose', () => {
  it.each([
    ['Note', PHYSICIAN, ['CARE_TEAM']],
    ['Note', { ...PHYSICIAN, purpose: 'HPAYMT' as const }, []],
    ['Note', AUTHOR, ['AUTHOR']],
    ['Person', PATIENT, ['SELF']],
    ['Person', BILLING, []],
    ['Unknown', PHYSICIAN, []],
  ])('%s', (type, caller, relationships) => {
    expect([...visibilityFor(caller).admitting(refOf(type, PATIENT_ID).type)]).toEqual(relationships)
  })
})

describe('P9: a failed service is a doubt, not a denial', () => {
  const unknown = new Map([['CARE_TEAM' as Relationship, 'KEY' as const]])

  it('names the failure if the relationship could make the record visible', () => {
    const verdict = visibilityFor(PHYSICIAN).verdictFor(note, undefined, attributes([], { unknown }))
    expect(verdict).toEqual({ kind: 'HIDDEN', doubt: 'KEY' })
    expect(visibilityFor(PHYSICIAN).visibilityOf(note, attributes([], { unknown }))).toBe('UNKNOWN')
  })

  it('is no doubt for a relationship that opens nothing to the caller', () => {
    expect(visibilityFor(PATIENT).verdictFor(person, undefined, attributes([], { unknown }))).toEqual({
      kind: 'HIDDEN',
      doubt: undefined,
    })
    expect(visibilityFor(PATIENT).visibilityOf(person, attributes([], { unknown }))).toBe('HIDDEN')
  })

  it('P6: damaged relationships leave the patient unknown, visible or not', () => {
    for (const damage of ['TAMPERED', 'NO_MANIFEST'] as const) {
      expect(visibilityFor(PHYSICIAN).visibilityOf(person, attributes(['CARE_TEAM'], { damage }))).toBe('UNKNOWN')
    }
  })
})

describe('P5: the facts about a patient that nothing is opened of', () => {
  it('are HIDDEN without visibility or if the patient denies everything', () => {
    expect(visibilityFor(PATIENT).visibilityOf(person, attributes([]))).toBe('HIDDEN')
    expect(visibilityFor(PHYSICIAN).visibilityOf(person, attributes(['CARE_TEAM'], { consents: [deny()] }))).toBe('HIDDEN')
  })

  it('leave relationships to single records unknown', () => {
    const facts = visibilityFor(PHYSICIAN).visibilityOf(person, attributes(['CARE_TEAM']))
    expect(facts).toMatchObject({ relationships: names('CARE_TEAM'), unknown: names('AUTHOR') })
  })
})

describe('P9: consents and limits close a record as a whole', () => {
  const closureOf = (caller: Caller, more: SubjectAttributes, record = labeled(), own = names()) => {
    const visibility = visibilityFor(caller)
    return visibility.closed(note.type, visibility.factsOf(more, record, own))
  }

  it.each<[string, Caller, SubjectAttributes, ReturnType<typeof labeled>, string]>([
    ['no label', PHYSICIAN, attributes(['CARE_TEAM']), labeled(), 'OPEN'],
    ['a label that needs consent', PHYSICIAN, attributes(['CARE_TEAM']), labeled('ETH'), 'CONSENT'],
    ['its consent', PHYSICIAN, attributes(['CARE_TEAM'], { consents: [permit('ETH')] }), labeled('ETH'), 'OPEN'],
    [
      'the consent to another label',
      PHYSICIAN,
      attributes(['CARE_TEAM'], { consents: [permit('HIV')] }),
      labeled('ETH'),
      'CONSENT',
    ],
    ['unknown consents', PHYSICIAN, attributes(['CARE_TEAM'], { consents: undefined }), labeled('ETH'), 'UNKNOWN'],
    ['unknown consents without a label', PHYSICIAN, attributes(['CARE_TEAM'], { consents: undefined }), labeled(), 'OPEN'],
    ['a denial', PHYSICIAN, attributes(['CARE_TEAM'], { consents: [deny()] }), labeled(), 'CONSENT'],
    ['limits without labels', PHYSICIAN, attributes(['CARE_TEAM'], { limits: onlyUnlabeled }), labeled('HIV'), 'RELATIONSHIP'],
    ['limits, and no label', PHYSICIAN, attributes(['CARE_TEAM'], { limits: onlyUnlabeled }), labeled(), 'OPEN'],
    ['break-glass', IN_EMERGENCY, attributes([], { breakGlass, consents: [permit('ETH')] }), labeled('ETH'), 'OPEN'],
    ['break-glass without consent', IN_EMERGENCY, attributes([], { breakGlass }), labeled('ETH'), 'CONSENT'],
    [
      'break-glass for psychotherapy notes',
      IN_EMERGENCY,
      attributes([], { breakGlass, consents: [permit('PSYTHPN')] }),
      labeled('PSYTHPN'),
      'CONSENT',
    ],
    // without a relationship every field is denied with its own reason
    ['no relationship at all', PHYSICIAN, attributes([]), labeled('ETH'), 'OPEN'],
  ])('%s', (_, caller, more, record, closure) => {
    expect(closureOf(caller, more, record)).toBe(closure)
  })

  it('opens a psychotherapy note to its author', () => {
    expect(closureOf(AUTHOR, attributes([]), labeled('PSYTHPN'), names('AUTHOR'))).toBe('OPEN')
  })
})

describe('P9: a list leaves out closed records, by what it knows of them', () => {
  const closureOfList = (caller: Caller, more: SubjectAttributes) => {
    const visibility = visibilityFor(caller)
    return visibility.closureOfList(note.type, visibility.factsOf(more, { id: '' as RecordId, labels: new Set() }))
  }
  const closedInList = (caller: Caller, more: SubjectAttributes) => {
    const closure = closureOfList(caller, more)
    return (labels: readonly string[], listed: Partial<ListedRecord> = {}) => closure.closedBy({ id: note.id, labels, ...listed })
  }

  it('by consents', () => {
    const isClosed = closedInList(PHYSICIAN, attributes(['CARE_TEAM']))
    expect(isClosed(['ETH'])).toBe('CONSENT')
    expect(isClosed(['HIV'])).toBeUndefined()
    expect(isClosed([])).toBeUndefined()
    expect(closedInList(PHYSICIAN, attributes(['CARE_TEAM'], { consents: [permit('ETH')] }))(['ETH'])).toBeUndefined()
  })

  it('by consents that name single records or their encounter', () => {
    const encounter = 'V1' as RecordId
    const listed = (consent: Consent, labels: readonly string[], more: Partial<ListedRecord> = {}) =>
      closedInList(PHYSICIAN, attributes(['CARE_TEAM'], { consents: [consent] }))(labels, more)
    const other = 'other' as RecordId
    expect(listed({ ...permit('ETH'), records: [note.id] }, ['ETH'])).toBeUndefined()
    expect(listed({ ...permit('ETH'), records: [other] }, ['ETH'])).toBe('CONSENT')
    expect(listed({ ...permit('ETH'), records: [encounter] }, ['ETH'], { encounter })).toBeUndefined()
    expect(listed(deny({ records: [note.id] }), [])).toBe('CONSENT')
    expect(listed(deny({ records: [other] }), [])).toBeUndefined()
    expect(listed(deny({ records: [encounter] }), [], { encounter })).toBe('CONSENT')
    expect(listed(deny(), ['HIV'])).toBe('CONSENT')
  })

  it('records without labels only if a denial names records: then the whole list is read, whatever it holds', () => {
    const closes = (...consents: Consent[]) => closureOfList(PHYSICIAN, attributes(['CARE_TEAM'], { consents })).closesUnlabeled
    expect([closes(), closes(permit('ETH')), closes({ ...permit('ETH'), records: [note.id] })]).toEqual([false, false, false])
    expect(closes(deny({ records: ['other' as RecordId] }))).toBe(true)
  })

  it('never closes a record to its author', () => {
    const isClosed = closedInList(AUTHOR, attributes([]))
    expect(isClosed(['PSYTHPN'], { author: 'Practitioner/1' })).toBeUndefined()
  })

  it('names limits as the reason if they close the record', () => {
    const reasonFor = (more: Partial<SubjectAttributes>) => closedInList(PHYSICIAN, attributes(['CARE_TEAM'], more))(['ETH'])
    expect(reasonFor({ limits: onlyUnlabeled })).toBe('RELATIONSHIP')
    expect(reasonFor({ limits: onlyUnlabeled, breakGlass })).toBe('CONSENT')
    expect(reasonFor({})).toBe('CONSENT')
  })
})

describe('P10: a contract narrows what a caller may know of', () => {
  const all = contractWith({
    roles: new Set([...policy.roles.keys()]),
    paths: new Set(policy.phi.keys()),
    categories: new Set([...policy.phi.values()].map(({ category }) => category)),
  })
  const noteless = { ...all, paths: new Set([...all.paths].filter((path) => !path.startsWith('Note.'))) }
  const personless = { ...all, paths: new Set([...all.paths].filter((path) => path.startsWith('Note.'))) }
  const kindOf = (caller: Caller, ...[ref, relationships, more = {}]: [typeof note, string[], Partial<SubjectAttributes>?]) =>
    visibilityFor(caller).verdictFor(ref, undefined, attributes(relationships, more)).kind

  it.each([
    ['a type within the contract', all, note, 'VISIBLE'],
    ['a type outside of the contract', noteless, note, 'HIDDEN'],
    ['a contract for other roles', { ...all, roles: new Set(['BILLING' as Role]) }, note, 'HIDDEN'],
    ['a contract for other purposes', { ...all, purposes: new Set(['HPAYMT'] as const) }, note, 'HIDDEN'],
  ])('%s', (_, contract, ref, kind) => {
    expect(kindOf({ ...PHYSICIAN, contract }, ref, ['CARE_TEAM'])).toBe(kind)
  })

  it('neither the knowledge of patients nor break-glass reaches a type outside', () => {
    expect(kindOf({ ...PHYSICIAN, contract: all }, person, [])).toBe('VISIBLE')
    expect(kindOf({ ...PHYSICIAN, contract: personless }, person, [])).toBe('HIDDEN')
    expect(kindOf({ ...IN_EMERGENCY, contract: all }, note, [], { breakGlass })).toBe('VISIBLE')
    expect(kindOf({ ...IN_EMERGENCY, contract: noteless }, note, [], { breakGlass })).toBe('HIDDEN')
  })

  it('a labeled record is closed if the contract excludes its label, or nothing of its type opens to the caller', () => {
    const sensitivities = new Set(['HIV'] as RecordLabel[])
    const closure = (contract: typeof all, labels: readonly string[], held: readonly string[], caller = PHYSICIAN) =>
      visibilityFor({ ...caller, contract: { ...contract, sensitivities } }).closed(note.type, {
        relationships: names(...held),
        consent: { rules: policy.consent, given: [], record: labeled(...labels) },
      })
    expect(closure(all, ['HIV'], ['CARE_TEAM'])).toBe('OPEN')
    expect(closure(noteless, ['HIV'], ['CARE_TEAM'])).toBe('OPEN')
    expect(closure(all, ['PSY'], ['CARE_TEAM'])).toBe('CONSENT')
    expect(closure(noteless, ['PSY'], ['CARE_TEAM'])).toBe('CONSENT')
    expect(closure(all, ['PSY'], ['ORGANIZATION'], BILLING)).toBe('CONSENT')
    expect(closure(all, [], ['ORGANIZATION'], BILLING)).toBe('OPEN')
  })
})
