import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RecordId } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { importResources } from '../../harness/imported.ts'
import { at, auditOf, first, LAKESIDE, madeUpId, patientsOf, RIVERSIDE } from '../asking.ts'
import { refOf } from '../store/database-hand.ts'
import { ADD, admitted, codesOf, END, reads, teamOf } from './access-desk.ts'

const PHYSICIAN = 'Practitioner/physician'
const NURSE = 'Practitioner/nurse'
// a session without requests ends after some minutes
const MINUTE = 60_000
const ON_PANEL = 20

let clinic: RunningClinic
let onTeam: string
let offTeam: string
let foreign: string
/** Moves the clock of the processes under test. */
let ahead = 0
let now: Awaited<ReturnType<RunningClinic['another']>>

beforeAll(async () => {
  clinic = await runClinic({ riverside: ON_PANEL + 1, lakeside: 1 })
  const panel = await patientsOf(clinic, 'physician')
  const nurses = new Set(await patientsOf(clinic, 'nurse'))
  onTeam = first(panel.filter((id) => !nurses.has(id)))
  offTeam = first((await patientsOf(clinic, 'billing')).filter((id) => !panel.includes(id)))
  foreign = first(await patientsOf(clinic, 'lakeside-physician'))
  now = await clinic.another({ now: () => Date.now() + ahead })
})
afterAll(() => clinic.stop())
beforeEach(() => {
  ahead = 0
})

const add = async (asker: string, id: string, user: string, more: object = {}): Promise<ClinicAnswer> =>
  await now.ask(asker, ADD, { id, user, ...more })
const end = async (asker: string, id: string, more: object = {}): Promise<ClinicAnswer> =>
  await now.ask(asker, END, { id, ...more })
/** The openings of sealed metadata in a request. */
const metadataOf = ({ phi }: ClinicAnswer): number =>
  now.events.reduce(
    (sum, event) => (event.event === 'REQUEST' && event.requestId === phi.requestId ? sum + event.metadata : sum),
    0,
  )
const memberOf = (answer: ClinicAnswer): string => String(at(answer.data, 'addCareTeamMember', 'id'))
const newPatient = async (name: string, memberships: Parameters<typeof admitted>[3] = []) =>
  (await admitted(clinic, name, [], memberships)).id

describe('addCareTeamMember and endCareTeamMembership', () => {
  it('P13: a member reads the record from the next request on, and not any more after the end', async () => {
    const id = await newPatient('Opened')
    expect(await reads(now, 'physician', id)).toBe(false)
    const added = await add('admin', id, PHYSICIAN)
    expect(added.errors).toEqual([])
    expect(at(added.data, 'addCareTeamMember', 'userId')).toBe(PHYSICIAN)
    expect(await reads(now, 'physician', id)).toBe(true)
    // another process has no state of the first
    expect(await reads(clinic, 'physician', id)).toBe(true)
    expect(await patientsOf(now, 'physician')).toContain(id)

    ahead = MINUTE
    const ended = await end('admin', memberOf(added), { reason: 'moved to another ward' })
    expect(ended.errors).toEqual([])
    expect(await reads(now, 'physician', id)).toBe(false)
    expect(await patientsOf(now, 'physician')).not.toContain(id)
  })

  it('the record has the role and the period, keeps its history, and the audit has the write with its ground', async () => {
    const added = await add('physician', onTeam, NURSE, { role: 'Wound care', start: '2026-01-01', end: '2040-12-31' })
    expect(added.errors).toEqual([])
    const [member] = (await teamOf(now, 'physician', onTeam)).filter(({ id }) => id === memberOf(added))
    expect(member).toMatchObject({
      userId: NURSE,
      role: 'Wound care',
      period: { start: '2026-01-01T00:00:00.000Z', end: '2040-12-31T23:59:59.999Z' },
    })
    expect(await reads(now, 'nurse', onTeam)).toBe(true)
    const { patient, id } = refOf(memberOf(added))
    const written = (await auditOf(clinic, added)).filter(({ outcome }) => outcome === 'WRITTEN')
    expect(written).toMatchObject([
      {
        patient,
        recordType: 'CareTeamMember',
        recordId: id,
        recordVersion: 1,
        path: 'Mutation.addCareTeamMember',
        paths: ['CareTeamMember.period', 'CareTeamMember.role'],
        action: 'CREATE',
        basis: 'CARE_TEAM',
        user: 'physician',
      },
      { patient, path: 'Patient.careTeam', action: 'UPDATE', basis: 'CARE_TEAM', count: 1 },
    ])
    const ended = await end('physician', memberOf(added))
    const again = (await teamOf(now, 'physician', onTeam)).find((one) => one.id === memberOf(added))
    expect(Date.parse(again?.period?.end ?? '')).toBeLessThanOrEqual(Date.now())
    expect(again?.role).toBe('Wound care')
    expect((await auditOf(clinic, ended)).filter(({ outcome }) => outcome === 'WRITTEN')).toMatchObject([
      {
        recordId: id,
        recordVersion: 2,
        path: 'Mutation.endCareTeamMembership',
        paths: ['CareTeamMember.period'],
        action: 'UPDATE',
      },
      { path: 'Patient.careTeam', action: 'UPDATE' },
    ])
    expect(await reads(now, 'nurse', onTeam)).toBe(false)
  })

  it('an administrator gets the id, and neither role nor period', async () => {
    const id = await newPatient('Blind')
    const query = ADD.replace('{ id userId }', '{ id userId role period { start } }')
    const added = await now.ask('admin', query, { id, user: PHYSICIAN })
    expect(at(added.data, 'addCareTeamMember')).toMatchObject({ userId: PHYSICIAN, role: null, period: null })
    expect(codesOf(added)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE ROLE', 'UNAUTHORIZED_FIELD_OR_TYPE ROLE'])
    // the next request has no right to the record
    const node = await now.ask('admin', 'query ($id: ID!) { node(id: $id) { id } }', { id: memberOf(added) })
    expect([node.data, codesOf(node)]).toEqual([{ node: null }, ['UNAUTHORIZED_FIELD_OR_TYPE ROLE']])
  })

  it.each([
    ['nurse', 'UNAUTHORIZED_FIELD_OR_TYPE ROLE'],
    ['billing', 'UNAUTHORIZED_FIELD_OR_TYPE ROLE'],
    ['frontdesk', 'UNAUTHORIZED_FIELD_OR_TYPE ROLE'],
    ['privacy', 'UNAUTHORIZED_FIELD_OR_TYPE ROLE'],
    ['patient', 'UNAUTHORIZED_FIELD_OR_TYPE ROLE'],
    ['researcher', 'UNAUTHORIZED_FIELD_OR_TYPE ROLE'],
  ])('%s adds nobody', async (user, code) => {
    const answer = await add(user, onTeam, 'Practitioner/intruder')
    expect([answer.data?.['addCareTeamMember'], codesOf(answer)]).toEqual([null, [code]])
    expect((await auditOf(clinic, answer)).map(({ outcome }) => outcome)).toEqual(['DENIED'])
  })

  it('a physician off the team adds and ends nobody, with and without break-glass', async () => {
    const answer = await add('physician', offTeam, PHYSICIAN)
    expect([answer.data?.['addCareTeamMember'], codesOf(answer)]).toEqual([null, ['UNAUTHORIZED_FIELD_OR_TYPE RELATIONSHIP']])
    const denied = (await auditOf(clinic, answer)).filter(({ outcome }) => outcome === 'DENIED')
    expect(denied).toMatchObject([{ path: 'Mutation.addCareTeamMember', reason: 'RELATIONSHIP', patient: refOf(offTeam).patient }])
    const BTG = { 'x-purpose-of-use': 'BTG' }
    const broken = await now.ask(
      'physician',
      'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "coma") { id } }',
      { id: offTeam },
      BTG,
    )
    expect(broken.errors).toEqual([])
    expect(await reads(now, 'physician', offTeam, BTG)).toBe(true)
    const inEmergency = await now.ask('physician', ADD, { id: offTeam, user: PHYSICIAN }, BTG)
    expect(codesOf(inEmergency)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE PURPOSE'])
    expect(await reads(now, 'physician', offTeam)).toBe(false)

    const added = await add('admin', offTeam, 'Practitioner/other')
    const ended = await end('physician', memberOf(added))
    expect([ended.data?.['endCareTeamMembership'], codesOf(ended)]).toEqual([null, ['UNAUTHORIZED_FIELD_OR_TYPE RELATIONSHIP']])
  })

  it('a member of the past adds nobody', async () => {
    const id = await newPatient('Past')
    const added = await add('admin', id, PHYSICIAN)
    expect((await add('physician', id, NURSE)).errors).toEqual([])
    ahead = MINUTE
    await end('admin', memberOf(added))
    expect(codesOf(await add('physician', id, 'Practitioner/late'))).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE RELATIONSHIP'])
  })

  it('P5: the patient of another tenant, a made-up one and another kind of id have one answer', async () => {
    const member = first(await teamOf(now, 'physician', onTeam)).id
    for (const user of ['admin', 'physician', 'lakeside-physician']) {
      const ids = [user === 'lakeside-physician' ? onTeam : foreign, madeUpId(), 'x', member]
      const answers = await Promise.all(ids.map(async (id) => await add(user, id, PHYSICIAN)))
      for (const answer of answers) expect([answer.data, codesOf(answer)]).toEqual([{ addCareTeamMember: null }, ['NOT_FOUND']])
      const audits = await Promise.all(
        answers.map(async (answer) => await auditOf(clinic, answer, user.startsWith('lakeside') ? LAKESIDE : RIVERSIDE)),
      )
      for (const audit of audits) expect(audit.map(({ outcome }) => outcome)).toEqual(['DENIED'])
    }
    for (const id of [madeUpId(), onTeam, 'x']) expect(codesOf(await end('admin', id))).toEqual(['NOT_FOUND'])
    expect(codesOf(await end('lakeside-physician', member))).toEqual(['NOT_FOUND'])
  })

  it('a repeated call changes nothing, and leaves one member', async () => {
    const id = await newPatient('Repeated')
    const once = await add('admin', id, PHYSICIAN, { role: 'Attending' })
    ahead = MINUTE
    const again = await add('admin', id, PHYSICIAN, { role: 'Attending' })
    expect([memberOf(again), again.errors]).toEqual([memberOf(once), []])
    expect((await auditOf(clinic, again)).filter(({ outcome }) => outcome === 'WRITTEN')).toEqual([])
    expect(await teamOf(now, 'physician', id)).toHaveLength(1)
    // with other arguments, it is another change
    expect(codesOf(await add('admin', id, PHYSICIAN, { role: 'Consultant' }))).toEqual(['BAD_USER_INPUT'])
    expect(codesOf(await add('admin', id, PHYSICIAN, { start: '2020' }))).toEqual(['BAD_USER_INPUT'])
    ahead = 2 * MINUTE
    await end('admin', memberOf(once))
    ahead = 3 * MINUTE
    const ended = await end('admin', memberOf(once))
    expect(ended.errors).toEqual([])
    expect((await auditOf(clinic, ended)).filter(({ outcome }) => outcome === 'WRITTEN')).toEqual([])
  })

  it('a person returns after an end, with a stay of its own', async () => {
    const id = await newPatient('Returned')
    const before = await add('admin', id, PHYSICIAN)
    ahead = MINUTE
    await end('admin', memberOf(before))
    expect(await reads(now, 'physician', id)).toBe(false)
    ahead = 2 * MINUTE
    const after = await add('admin', id, PHYSICIAN)
    expect(after.errors).toEqual([])
    expect(memberOf(after)).not.toBe(memberOf(before))
    expect(await reads(now, 'physician', id)).toBe(true)
    // the end of the earlier stay is no end of this one
    await end('admin', memberOf(before))
    expect(await reads(now, 'physician', id)).toBe(true)
  })

  it('a stay of the future opens at its start, and never if it ends before', async () => {
    const id = await newPatient('Future')
    const start = new Date(Date.now() + 2 * MINUTE).toISOString()
    const added = await add('admin', id, PHYSICIAN, { start })
    expect(await reads(now, 'physician', id)).toBe(false)
    ahead = 3 * MINUTE
    expect(await reads(now, 'physician', id)).toBe(true)
    ahead = MINUTE
    expect((await end('admin', memberOf(added))).errors).toEqual([])
    ahead = 3 * MINUTE
    expect(await reads(now, 'physician', id)).toBe(false)
  })

  it('a membership that was stored without a team stays open when a stay of the same person ends', async () => {
    const id = await newPatient('Teamless', [{ relationship: 'CARE_TEAM', fhirUser: PHYSICIAN, periods: [{}] }])
    const added = await add('admin', id, PHYSICIAN, { end: '2040' })
    expect(await reads(now, 'physician', id)).toBe(true)
    ahead = MINUTE
    expect((await end('admin', memberOf(added))).errors).toEqual([])
    expect(await reads(now, 'physician', id)).toBe(true)
  })

  it('an import and the mutations keep the stays of each other', async () => {
    const name = 'team-of-both'
    const reference = `Patient/${name}`
    // the source gives each version a name of its own: a text that it retracted before would not be imported again
    const team = (status: string, version: string) => ({
      resourceType: 'CareTeam',
      id: 'both-team',
      status,
      name: version,
      subject: { reference },
      participant: [{ member: { reference: PHYSICIAN } }],
    })
    const resources = (status: string, version: string) => [
      { resourceType: 'Patient', id: name, name: [{ family: 'Both' }] },
      { resourceType: 'Practitioner', id: 'physician', name: [{ family: 'Smith' }] },
      team(status, version),
    ]
    const { idOf } = await importResources(clinic, resources('active', 'version 1'))
    const id = idOf('Patient', name, name)
    expect(await reads(now, 'physician', id)).toBe(true)
    const added = await add('admin', id, PHYSICIAN)
    expect(added.errors).toEqual([])
    // the source ends its team, and the added stay stays open
    await importResources(clinic, resources('entered-in-error', 'version 2'))
    expect(await reads(now, 'physician', id)).toBe(true)
    await importResources(clinic, resources('active', 'version 3'))
    ahead = MINUTE
    expect((await end('admin', memberOf(added))).errors).toEqual([])
    expect(await reads(now, 'physician', id)).toBe(true)
    // the imported member ends in its source only
    const imported = (await teamOf(now, 'physician', id)).find((one) => one.id !== memberOf(added))
    const refused = await end('admin', imported?.id ?? '')
    expect(codesOf(refused)).toEqual(['BAD_USER_INPUT'])
    // the refusal opened the record: no opening of a request is left out (P1)
    const unknown = await end('admin', encodeNodeId({ ...refOf(imported?.id ?? ''), id: 'unknown' as RecordId }))
    expect(codesOf(unknown)).toEqual(['NOT_FOUND'])
    expect(metadataOf(refused)).toBe(metadataOf(unknown) + 1)
    await importResources(clinic, resources('entered-in-error', 'version 4'))
    expect(await reads(now, 'physician', id)).toBe(false)
  })

  it('concurrent changes of one team are all stored, and the same change once', async () => {
    const id = await newPatient('Crowded')
    const users = [PHYSICIAN, NURSE, 'Practitioner/a', 'Practitioner/b']
    const other = await clinic.another()
    const answers = await Promise.all(
      users.flatMap((user) => [now, other].map(async ({ ask }) => await ask('admin', ADD, { id, user, start: '2026-01-01' }))),
    )
    for (const answer of answers) expect(answer.errors).toEqual([])
    const members = await teamOf(now, 'physician', id)
    expect(members.map(({ userId }) => userId).toSorted()).toEqual(users.toSorted())
    expect(await reads(now, 'nurse', id)).toBe(true)
  })

  it.each<[string, object]>([
    ['a user of another form', { user: 'physician' }],
    ['a URL', { user: 'https://ehr.example/Practitioner/1' }],
    ['a patient as a member', { user: 'Patient/riverside-1' }],
    ['a blank role', { role: '  ' }],
    ['a role with a control character', { role: 'a\u0000b' }],
    ['a role that is too long', { role: 'x'.repeat(201) }],
    ['an end before the start', { start: '2026-02-01', end: '2026-01-01' }],
    ['an end in the past without a start', { end: '2020' }],
  ])('refuses %s', async (_name, more) => {
    const answer = await add('admin', onTeam, PHYSICIAN, more)
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT'])
  })
})
