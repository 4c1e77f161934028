import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mapBundle } from '../../fhir/map-bundle.ts'
import {
  bundle,
  careTeam,
  clinicLabels,
  idFor,
  map,
  now,
  patient,
  practitioner,
  reasonsOf,
  recordsOf,
  riverside,
  valuesOf,
} from './clinic.ts'

// A membership opens records. It ends with each of the periods that limit it, and an element that is out of use gives none.

const role = (changes: Record<string, unknown>) => ({
  resourceType: 'PractitionerRole',
  id: 'r1',
  practitioner: { reference: 'Practitioner/p1' },
  ...changes,
})
const byRole = careTeam({ participant: [{ member: { reference: 'PractitionerRole/r1' } }] })
const periodsOf = (mapped: ReturnType<typeof map>): unknown =>
  mapped.patients.flatMap(({ memberships }) =>
    memberships.filter(({ relationship }) => relationship === 'CARE_TEAM').map((one) => one.periods),
  )
const masked = { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'masked' }] }

describe('a member of a care team by a role', () => {
  it.each([
    [{ active: true }, [[{}]]],
    [{}, [[{}]]],
    [{ active: false }, []],
    [{ active: false, period: { end: '2022' } }, [[{ until: '2023-01-01T00:00:00.000Z' }]]],
    [{ active: false, period: { end: '2030' } }, []],
    [{ period: { end: '2022' } }, [[{ until: '2023-01-01T00:00:00.000Z' }]]],
    [{ period: { start: '2030' } }, [[{ since: '2030-01-01T00:00:00.000Z' }]]],
    [{ period: { start: '2030', end: '2020' } }, []],
    [{ period: { end: 'soon' } }, []],
    [{ period: masked }, []],
    [{ period: { _end: masked } }, []],
    [{ active: 'false' }, []],
  ])('with %j has %j', (changes, periods) => {
    expect(periodsOf(map(bundle(patient(), practitioner(), role(changes), byRole)))).toEqual(periods)
    const contained = careTeam({ contained: [role(changes)], participant: [{ member: { reference: '#r1' } }] })
    expect(periodsOf(map(bundle(patient(), practitioner(), contained)))).toEqual(periods)
  })

  it('is shown with the period of the role', () => {
    const mapped = map(bundle(patient(), practitioner(), role({ period: { end: '2022' } }), byRole))
    expect(valuesOf(recordsOf(mapped, 'CareTeamMember')[0])).toEqual({ 'CareTeamMember.period': { end: '2022' } })
  })

  it('gives an assigned user no more than the practitioner', () => {
    const assign = new Map([['Practitioner/p1', ['Practitioner/nurse']]])
    for (const over of [role({ active: false }), role({ period: { end: '2022' } })]) {
      const open = JSON.stringify(periodsOf(map(bundle(patient(), practitioner(), over, byRole), assign))).includes('{}')
      expect(open).toBe(false)
    }
  })
})

it('each limit ends a membership, whichever of them is the first', () => {
  const year = fc.option(fc.integer({ min: 2000, max: 2040 }), { nil: undefined })
  fc.assert(
    fc.property(year, year, year, (team, place, ofRole) => {
      const until = (end: number | undefined) => (end === undefined ? {} : { period: { end: String(end) } })
      const one = careTeam({ ...until(team), participant: [{ member: { reference: 'PractitionerRole/r1' }, ...until(place) }] })
      const first = Math.min(...[team, place, ofRole].map((end) => end ?? Infinity))
      expect(periodsOf(map(bundle(patient(), practitioner(), role(until(ofRole)), one)))).toEqual([
        [first === Infinity ? {} : { until: `${first + 1}-01-01T00:00:00.000Z` }],
      ])
    }),
    { numRuns: 50 },
  )
})

it.each([
  [practitioner({ active: false }), careTeam()],
  [practitioner(), careTeam({ status: 'inactive' })],
  [practitioner(), careTeam({ status: 'inactive', period: { end: '2030' } })],
  [practitioner(), careTeam({ participant: [{ member: { reference: 'Practitioner/p1' }, period: masked }] })],
  [practitioner(), careTeam({ period: masked })],
])('nobody is a member by an element that is out of use, or has a period without its end: %#', (one, team) => {
  expect(periodsOf(map(bundle(patient(), one, team)))).toEqual([])
})

it('a period that is absent for a reason refuses its resource', () => {
  const mapped = map(bundle(patient({ name: [{ family: 'Formername', period: masked }] })))
  expect(reasonsOf(mapped)).toEqual(['Patient.name[0].period: absent for a reason, so that the meaning of the resource is unknown'])
})

describe('a participant of an encounter', () => {
  const visit = (participant: object, changes: object = {}) => ({
    resourceType: 'Encounter',
    id: 'e1',
    status: 'in-progress',
    class: { code: 'IMP' },
    subject: { reference: 'Patient/ada' },
    period: { start: '2024-01-01' },
    participant: [{ individual: { reference: 'Practitioner/p1' }, ...participant }],
    ...changes,
  })
  const assign = new Map([['Practitioner/p1', ['Practitioner/nurse']]])
  const stays = (...resources: readonly object[]): unknown =>
    periodsOf(
      mapBundle(bundle(patient(), ...resources), {
        tenant: riverside,
        idFor,
        now,
        assign,
        labels: clinicLabels,
        encounterPractitioners: true,
      }),
    )

  it.each([
    [{}, {}, [[{ since: '2024-01-01T00:00:00.000Z' }]]],
    [
      { period: { start: '2024-01-03', end: '2024-01-05' } },
      {},
      [[{ since: '2024-01-03T00:00:00.000Z', until: '2024-01-06T00:00:00.000Z' }]],
    ],
    [
      { period: { start: '2024-01-01', end: '2024-01-09' } },
      { status: 'finished', period: { start: '2024-01-01', end: '2024-01-09' } },
      [[{ since: '2024-01-01T00:00:00.000Z' }]],
    ],
    [{ period: { start: '2024-01-09', end: '2024-01-01' } }, {}, []],
  ])('%j is a member for the time of the part, or on if it lasts as long as the encounter', (participant, changes, periods) => {
    expect(stays(practitioner(), visit(participant, changes))).toEqual(periods)
  })

  it('is none if the role or the practitioner is out of use', () => {
    expect(stays(practitioner({ active: false }), visit({}))).toEqual([])
    expect(stays(practitioner(), role({ active: false }), visit({ individual: { reference: 'PractitionerRole/r1' } }))).toEqual([])
  })

  it('with the later end is shown', () => {
    const two = [
      { individual: { reference: 'Practitioner/p2', display: 'Dr. Left' }, period: { end: '2024-01-02' } },
      { individual: { reference: 'Practitioner/p3', display: 'Dr. Stays' }, period: { start: '2024-01-02' } },
    ]
    for (const participant of [two, two.toReversed()]) {
      const [record] = recordsOf(map(bundle(patient(), visit({}, { participant }))), 'Encounter')
      expect(valuesOf(record)['Encounter.practitioner']).toBe('Dr. Stays')
    }
  })
})
