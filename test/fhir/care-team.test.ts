import { describe, expect, it } from 'vitest'
import type { Membership } from '../../gateway/model/record.ts'
import { bundle, careTeam, idFor, map, patient, practitioner, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

type Assign = ReadonlyMap<string, readonly string[]>

const p1 = { role: [{ text: 'Physician' }], member: { reference: 'Practitioner/p1', display: 'Ada Byron' } }

const teamOf = (mapped: ReturnType<typeof map>): readonly Membership[] =>
  mapped.patients.flatMap(({ memberships }) => memberships).filter(({ relationship }) => relationship === 'CARE_TEAM')
const memberships = (changes: Record<string, unknown>, assign?: Assign): readonly Membership[] =>
  teamOf(map(bundle(patient(), practitioner(), careTeam(changes)), assign))
const periods = (changes: Record<string, unknown>): unknown => memberships(changes).map((one) => one.periods)

describe('a care team becomes a record for each practitioner', () => {
  it('names the practitioner from the own resource, and never from the display of a reference', () => {
    const mapped = map(bundle(patient(), practitioner(), careTeam({ period: { start: '2020-05' }, participant: [p1] })))
    const [record] = recordsOf(mapped, 'CareTeamMember')
    expect(record?.ref.id).toBe(idFor('CareTeamMember', 't1/Practitioner/p1'))
    expect(valuesOf(record)).toEqual({ 'CareTeamMember.role': 'Physician', 'CareTeamMember.period': { start: '2020-05' } })
    expect(record?.metadata.open).toEqual({ userId: 'Practitioner/p1', displayName: 'Dr. Grace Hopper' })
    expect(JSON.stringify([...(record?.values ?? [])]) + JSON.stringify(record?.metadata)).not.toContain('Byron')
  })

  it('skips patients, relatives and organizations', () => {
    const others = ['Patient/ada', 'Organization/o', 'RelatedPerson/r', 'CareTeam/t2'].map((reference) => ({
      member: { reference },
    }))
    const mapped = map(bundle(patient(), careTeam({ participant: [...others, { role: [{ text: 'nobody' }] }] })))
    expect(recordsOf(mapped, 'CareTeamMember')).toEqual([])
    expect(mapped.faults).toEqual([])
  })

  it('keeps two places of one practitioner apart', () => {
    const second = { ...p1, role: [{ coding: [{ display: 'Surgeon', code: '304292004' }] }] }
    const records = recordsOf(map(bundle(patient(), careTeam({ participant: [p1, second] }))), 'CareTeamMember')
    expect(records.map((record) => valuesOf(record)['CareTeamMember.role'])).toEqual(['Physician', 'Surgeon'])
    expect(new Set(records.map(({ ref }) => ref.id)).size).toBe(2)
  })

  it('follows a role to its practitioner, and a business identifier to its practitioner', () => {
    const npi = { system: 'http://hl7.org/fhir/sid/us-npi', value: '999' }
    const who = [
      practitioner({ identifier: [npi] }),
      { resourceType: 'PractitionerRole', id: 'r1', practitioner: { reference: 'Practitioner/p1' } },
    ]
    for (const reference of [
      'PractitionerRole/r1',
      `Practitioner?identifier=${npi.system}|999`,
      'Practitioner?identifier=http%3A%2F%2Fhl7.org%2Ffhir%2Fsid%2Fus-npi%7C999',
    ]) {
      const mapped = map(bundle(patient(), ...who, careTeam({ participant: [{ member: { reference } }] })))
      expect(teamOf(mapped).map(({ fhirUser }) => fhirUser)).toEqual(['Practitioner/p1'])
    }
  })

  it('gives no membership to a person known only by a business identifier, until a user is assigned', () => {
    const key = 'Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|999'
    const team = careTeam({ participant: [{ member: { reference: key } }] })
    const mapped = map(bundle(patient(), team))
    expect(teamOf(mapped)).toEqual([])
    expect([...mapped.practitioners.keys()]).toEqual([key])
    expect(
      teamOf(map(bundle(patient(), team), new Map([[key, ['Practitioner/physician']]]))).map(({ fhirUser }) => fhirUser),
    ).toEqual(['Practitioner/physician'])
  })

  it('reads a contained practitioner without using the contained id as an identity', () => {
    const contained = [{ ...practitioner({ id: 'physician' }), identifier: [{ system: 'urn:npi', value: '7' }] }]
    const mapped = map(bundle(patient(), careTeam({ contained, participant: [{ member: { reference: '#physician' } }] })))
    expect(recordsOf(mapped, 'CareTeamMember')[0]?.metadata.open).toEqual({
      userId: 'Practitioner?identifier=urn:npi|7',
      displayName: 'Dr. Grace Hopper',
    })
    expect(teamOf(mapped)).toEqual([])
  })

  it('reports an unidentified member, and accepts the others', () => {
    const lost = [{ member: { reference: 'urn:uuid:00000000-0000-4000-8000-000000000000' } }, { member: { reference: '#none' } }]
    const mapped = map(bundle(patient(), careTeam({ participant: [...lost, p1] })))
    expect(reasonsOf(mapped)).toEqual(Array(2).fill('CareTeam.participant.member: does not lead to one resource'))
    expect(recordsOf(mapped, 'CareTeamMember')).toHaveLength(1)
  })
})

describe('membership', () => {
  it('makes every patient a member of the own record', () => {
    expect(map(bundle(patient())).patients[0]?.memberships).toEqual([
      { patient: idFor('Patient', 'ada'), relationship: 'SELF', fhirUser: 'Patient/ada', periods: [{}] },
    ])
  })

  it('is open for an active team', () => {
    expect(periods({})).toEqual([[{}]])
  })

  it.each(['proposed', 'suspended', 'entered-in-error'])('P3: is not given by a team that is %s', (status) => {
    const mapped = map(bundle(patient(), careTeam({ status })))
    expect(teamOf(mapped)).toEqual([])
    expect([...mapped.leftOut]).toEqual([[`CareTeam ${status}`, 1]])
  })

  it('P3: is not given by a team without a status, which is reported', () => {
    const mapped = map(bundle(patient(), careTeam({ status: undefined })))
    expect(teamOf(mapped)).toEqual([])
    expect(reasonsOf(mapped)).toEqual(['CareTeam.status: missing or unknown, so that nobody becomes a member by it'])
  })

  it('P13: ends with an inactive team, and is not given by an inactive team without an end', () => {
    expect(periods({ status: 'inactive' })).toEqual([])
    expect(periods({ status: 'inactive', period: { start: '2020-01-01', end: '2020-12-31' } })).toEqual([
      [{ since: '2020-01-01T00:00:00.000Z', until: '2021-01-01T00:00:00.000Z' }],
    ])
  })

  it('P13: ends when the team or the place on it ends, whichever is first', () => {
    const place = (period: object): object => ({ ...p1, period })
    const team = { period: { start: '2020-01-01T00:00:00Z', end: '2022-01-01T00:00:00Z' } }
    expect(periods({ ...team, participant: [place({ start: '2019', end: '2021-06-30T00:00:00Z' })] })).toEqual([
      [{ since: '2020-01-01T00:00:00.000Z', until: '2021-06-30T00:00:00.000Z' }],
    ])
    expect(periods({ ...team, participant: [place({ start: '2021-01-01T00:00:00Z' })] })).toEqual([
      [{ since: '2021-01-01T00:00:00.000Z', until: '2022-01-01T00:00:00.000Z' }],
    ])
    expect(periods({ ...team, participant: [place({ start: '2023' })] })).toEqual([])
  })

  it('merges overlapping periods and keeps separate ones apart, in any order', () => {
    const stay = (id: string, start: string, end: string): object => careTeam({ id, period: { start, end }, status: 'inactive' })
    const teams = [stay('a', '2020-01-01', '2020-03-31'), stay('b', '2020-02-01', '2020-05-31'), stay('c', '2022-01', '2022-02')]
    const expected = [
      { since: '2020-01-01T00:00:00.000Z', until: '2020-06-01T00:00:00.000Z' },
      { since: '2022-01-01T00:00:00.000Z', until: '2022-03-01T00:00:00.000Z' },
    ]
    expect(teamOf(map(bundle(patient(), ...teams)))[0]?.periods).toEqual(expected)
    expect(teamOf(map(bundle(patient(), ...teams.reverse())))[0]?.periods).toEqual(expected)
  })

  it('P13: is not widened by a short stay within a longer one', () => {
    const stay = (id: string, start: string, end: string): object => careTeam({ id, period: { start, end }, status: 'inactive' })
    const teams = [stay('a', '2020', '2021'), stay('b', '2020-02', '2020-03')]
    expect(teamOf(map(bundle(patient(), ...teams)))[0]?.periods).toEqual([
      { since: '2020-01-01T00:00:00.000Z', until: '2022-01-01T00:00:00.000Z' },
    ])
  })
})

describe('assigning a user to a practitioner', () => {
  const assign: Assign = new Map([['Practitioner/p1', ['Practitioner/physician']]])

  it('makes the user a member beside the practitioner, and shows the user on the team', () => {
    const mapped = map(bundle(patient(), practitioner(), careTeam()), assign)
    expect(teamOf(mapped).map(({ fhirUser }) => fhirUser)).toEqual(['Practitioner/p1', 'Practitioner/physician'])
    expect(recordsOf(mapped, 'CareTeamMember')[0]?.metadata.open).toMatchObject({ userId: 'Practitioner/physician' })
    expect(mapped.practitioners.get('Practitioner/p1')).toEqual({
      assignments: ['Practitioner/p1'],
      patients: new Set([idFor('Patient', 'ada')]),
    })
  })

  it('changes nothing for other practitioners', () => {
    const mapped = map(bundle(patient(), careTeam({ participant: [{ member: { reference: 'Practitioner/p2' } }] })), assign)
    expect(teamOf(mapped).map(({ fhirUser }) => fhirUser)).toEqual(['Practitioner/p2'])
    expect(mapped.practitioners.get('Practitioner/p2')?.assignments).toEqual([])
  })

  it('is a change of the record, so that a second import with it is no repetition', () => {
    const source = (with_?: Assign): string | undefined =>
      recordsOf(map(bundle(patient(), careTeam()), with_), 'CareTeamMember')[0]?.metadata.source
    expect(source(assign)).not.toBe(source())
    expect(source()).toBe(source())
  })
})
