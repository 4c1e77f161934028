import { describe, expect, it } from 'vitest'
import { representationOf } from '../../fhir/related-person.ts'
import { MINORS } from '../../gateway/model/minors.ts'
import { bundle, idFor, map, patient, reasonsOf, type Resource } from './clinic.ts'

const SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-RoleCode'
const related = (code: string, changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'RelatedPerson',
  id: 'kin',
  active: true,
  patient: { reference: 'Patient/ada' },
  relationship: [{ coding: [{ system: SYSTEM, code }] }],
  ...changes,
})
const { scope } = MINORS
const BORN = '2014-05-17'
const CHILD = { until: '2026-05-17T00:00:00.000Z' }
const ADOLESCENT = { since: '2026-05-17T00:00:00.000Z', until: '2032-05-17T00:00:00.000Z', scope }
const OF_AGE = '2032-05-17T00:00:00.000Z'
const periodsOf = (resource: Resource, born: string | undefined = BORN) => representationOf(resource, born).periods

describe('C06: the representatives of a patient', () => {
  it.each(['PRN', 'MTH', 'FTH', 'NPRN', 'ADOPTP', 'GUARD', 'RESPRSN'])('%s, until the patient comes of age', (code) => {
    expect(periodsOf(related(code))).toEqual([CHILD, ADOLESCENT])
  })

  it('HPOWATT, for its own period, once the patient is of age', () => {
    const code = 'HPOWATT'
    expect(periodsOf(related(code))).toEqual([{ since: OF_AGE }])
    expect(periodsOf(related(code, { period: { start: '2030', end: '2040-03-31' } }))).toEqual([
      { since: OF_AGE, until: '2040-04-01T00:00:00.000Z' },
    ])
    expect(periodsOf(related(code, { period: { start: '2020-02-01' } }), '1975')).toEqual([{ since: '2020-02-01T00:00:00.000Z' }])
    expect(periodsOf(related(code, { period: { end: '2031' } }))).toEqual([])
  })

  it('the guardian of an adult, for the period of the guardianship', () => {
    expect(periodsOf(related('GUARD', { period: { start: '2033-01-01' } }))).toEqual([{ since: '2033-01-01T00:00:00.000Z' }])
    expect(periodsOf(related('GUARD', { period: { start: '2020' } }))).toEqual([
      { since: '2020-01-01T00:00:00.000Z', ...CHILD },
      ADOLESCENT,
    ])
    expect(periodsOf(related('MTH', { period: { start: '2033-01-01' } }))).toEqual([])
  })

  it('P13: within the period of the resource', () => {
    const period = { start: '2020-01-01T00:00:00Z', end: '2028-06-30' }
    expect(periodsOf(related('MTH', { period }))).toEqual([
      { since: '2020-01-01T00:00:00.000Z', ...CHILD },
      { ...ADOLESCENT, until: '2028-07-01T00:00:00.000Z' },
    ])
    expect(periodsOf(related('MTH', { period: { end: '2020' } }))).toEqual([{ until: '2021-01-01T00:00:00.000Z' }])
  })

  it('by two relationships, for the periods of both', () => {
    const relationship = ['MTH', 'HPOWATT'].map((code) => ({ coding: [{ system: SYSTEM, code }] }))
    expect(periodsOf(related('', { relationship }))).toEqual([CHILD, ADOLESCENT, { since: OF_AGE }])
  })

  it('P3: not by kinship alone, a code of another system, an emergency contact, or text', () => {
    for (const code of ['SPS', 'STPMTH', 'MTHFOST', 'GRMTH', 'POWATT', 'DPOWATT', 'SPOWATT', 'EXCEST', 'SIS', 'mth', '']) {
      expect(representationOf(related(code), BORN)).toEqual({ periods: [], leftOut: 'no personal representative' })
    }
    for (const coding of [[{ system: 'http://terminology.hl7.org/CodeSystem/v2-0131', code: 'MTH' }], [{ code: 'MTH' }], []]) {
      expect(periodsOf(related('', { relationship: [{ coding, text: 'mother' }] }))).toEqual([])
    }
  })

  it('P3: not without an active status or a birth date', () => {
    expect(representationOf(related('MTH', { active: false }), BORN)).toEqual({ periods: [], leftOut: 'inactive' })
    expect(representationOf(related('MTH', { active: undefined }), BORN)).toEqual({
      periods: [],
      leftOut: 'not known to be active',
    })
    const reason = 'RelatedPerson.patient: has no birth date, so that nobody acts for the patient by it'
    for (const code of ['MTH', 'HPOWATT']) {
      expect(representationOf(related(code), undefined)).toEqual({ periods: [], issue: { reason } })
    }
  })

  it('with the limits of the deployment', () => {
    const minors = { limitedFrom: 13, until: 16, scope: { categories: ['CONTACT'], labeled: true } } as const
    expect(representationOf(related('FTH'), BORN, minors).periods).toEqual([
      { until: '2027-05-17T00:00:00.000Z' },
      { since: '2027-05-17T00:00:00.000Z', until: '2030-05-17T00:00:00.000Z', scope: minors.scope },
    ])
  })
})

describe('in a bundle', () => {
  const proxies = (...resources: readonly Resource[]) => {
    const mapped = map(bundle(patient({ birthDate: BORN }), ...resources))
    const memberships = mapped.patients.flatMap((one) => one.memberships).filter(({ relationship }) => relationship === 'PROXY')
    return { memberships, leftOut: [...mapped.leftOut], unknown: [...mapped.unknown], reasons: reasonsOf(mapped) }
  }

  it('becomes a membership of the patient', () => {
    expect(proxies(related('MTH'))).toEqual({
      memberships: [
        {
          patient: idFor('Patient', 'ada'),
          relationship: 'PROXY',
          fhirUser: 'RelatedPerson/kin',
          periods: [CHILD, ADOLESCENT],
        },
      ],
      leftOut: [],
      unknown: [],
      reasons: [],
    })
  })

  it('P13: has no periods without a representing code or for an unreadable resource, and the report says so', () => {
    const without = (resource: Resource) => proxies(resource).memberships.map(({ periods }) => periods)
    expect(without(related('SPS'))).toEqual([[]])
    expect(proxies(related('SPS')).leftOut).toEqual([['RelatedPerson no personal representative', 1]])
    const unfit: readonly (readonly [Record<string, unknown>, string])[] = [
      [{ modifierExtension: [{ url: 'urn:x' }] }, 'carries a modifierExtension, which must not be ignored'],
      [{ period: { start: '2024', end: '2020' } }, 'RelatedPerson.period: ends before it starts'],
      [{ active: 'yes' }, 'RelatedPerson.active: missing or of the wrong type'],
    ]
    for (const [changes, reason] of unfit) {
      expect(without(related('MTH', changes))).toEqual([[]])
      expect(proxies(related('MTH', changes)).reasons).toEqual([expect.stringContaining(reason)])
    }
  })

  it('P3: does not exist for a patient outside the bundle', () => {
    const told = proxies(related('MTH', { patient: { reference: 'Patient/other' } }))
    expect([told.memberships, told.reasons]).toEqual([[], ['RelatedPerson.patient: its patient is not among the imported ones']])
  })
})
