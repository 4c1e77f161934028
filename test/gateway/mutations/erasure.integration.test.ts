import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { Erased, VersionConflict } from '../../../gateway/model/failures.ts'
import type { RecordId } from '../../../gateway/model/ids.ts'
import { RecordChanges } from '../../../gateway/store/record-changes.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { commit } from '../admitted.ts'
import { at, auditOf, LAKESIDE, madeUpId, nodesAt, patientsOf, RIVERSIDE } from '../asking.ts'
import { clinic as compiled } from '../decide/clinic-policy.ts'
import { DatabaseHand, refOf } from '../store/database-hand.ts'
import { codesOf } from './access-desk.ts'
import { APPROVE, entriesOf, HOLD, HOLDS, NO_RETENTION, READ, RELEASE, REQUEST, requested, storedErasure } from './erasure-desk.ts'
import { CREATE_OBSERVATION, HEART_RATE } from './record-writing.ts'

let clinic: RunningClinic
/** A process of a deployment whose retention has ended for every patient. */
let open: Awaited<ReturnType<RunningClinic['another']>>
let patients: string[]

beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  open = await clinic.another({ env: { PHI_RETENTION: NO_RETENTION } })
  patients = await patientsOf(clinic, 'physician')
})
afterAll(async () => await clinic.stop())

const NAME = 'query ($id: ID!) { patient(id: $id) { familyName mrn } }'
const patientAt = (place: number): string => patients[place] ?? ''
const shown = (answer: ClinicAnswer, root: string) => at(answer.data, root) as Record<string, string | null> | null
const found = async (mrn: string): Promise<unknown[]> =>
  nodesAt(
    (await open.ask('frontdesk', 'query ($mrn: String!) { patientsByIdentifier(mrn: $mrn) { edges { node { id } } } }', { mrn }))
      .data,
    'patientsByIdentifier',
  )
const mrnOf = async (id: string): Promise<string> => String(at((await open.ask('frontdesk', NAME, { id })).data, 'patient', 'mrn'))

describe('C26: an erasure', () => {
  it('takes a request, and the approval of a second person; then everything of the patient is FIELD_ERASED', async () => {
    const id = patientAt(0)
    const mrn = await mrnOf(id)
    const observations = 'query ($id: ID!) { patient(id: $id) { observations(first: 1) { edges { node { id } } } } }'
    const observation = at(
      (await open.ask('physician', observations, { id })).data,
      'patient',
      'observations',
      'edges',
      0,
      'node',
      'id',
    )
    expect(await found(mrn)).toHaveLength(1)
    expect((await entriesOf(clinic, id)).length).toBeGreaterThan(3)

    const asked = await open.ask('admin', REQUEST, { id })
    expect(asked.errors).toEqual([])
    expect(shown(asked, 'requestErasure')).toMatchObject({ patientId: id, state: 'REQUESTED', refusal: null, approvedBy: null })
    expect(await auditOf(clinic, asked)).toMatchObject([
      { path: '#erasure', action: 'CREATE', outcome: 'WRITTEN', patient: refOf(id).patient },
    ])
    const erasure = shown(asked, 'requestErasure')?.['id'] ?? ''
    expect(shown(await open.ask('privacy', READ, { id: erasure }), 'erasure')).toMatchObject({ reason: 'asked by the patient' })
    // nothing is erased, and the same request again is the same erasure
    expect(await mrnOf(id)).toBe(mrn)
    expect(await requested(open, id)).toBe(erasure)

    const approved = await open.ask('privacy', APPROVE, { id: erasure })
    expect(approved.errors).toEqual([])
    expect(shown(approved, 'approveErasure')).toMatchObject({ state: 'ERASED', refusal: null })
    const [record, ...more] = await auditOf(clinic, approved)
    expect(more).toEqual([])
    expect(record).toMatchObject({ path: '#erasure', action: 'DELETE', outcome: 'WRITTEN', patient: refOf(id).patient })
    expect(record?.filter).toBe(shown(approved, 'approveErasure')?.['certificate'])
    expect(shown(approved, 'approveErasure')?.['certificateRequestId']).toBe(approved.phi.requestId)

    for (const process of [clinic, open, await clinic.another()]) {
      const read = await process.ask('physician', NAME, { id })
      expect(codesOf(read)).toContain('FIELD_ERASED')
      expect(at(read.data, 'patient', 'familyName')).toBeNull()
    }
    const lists = await open.ask(
      'physician',
      'query ($id: ID!, $record: ID!) { node(id: $record) { id ... on Observation { code { text } } } patient(id: $id) { conditions(first: 5) { edges { node { id } } } } patients(first: 50) { edges { node { id familyName } } } }',
      { id, record: observation },
    )
    expect(new Set(codesOf(lists))).toEqual(new Set(['FIELD_ERASED']))
    expect(nodesAt(lists.data, 'patients')).toContainEqual({ id, familyName: null })
    expect(at(lists.data, 'patient', 'conditions')).toBeNull()
    expect(await found(mrn)).toEqual([])
    expect(await entriesOf(clinic, id)).toEqual([])
    const written = await open.ask('physician', CREATE_OBSERVATION, { patient: id, input: HEART_RATE, key: 'after' })
    expect(codesOf(written)).toEqual(['FIELD_ERASED'])
    expect(await entriesOf(clinic, id)).toEqual([])

    // both calls again change nothing
    expect(shown(await open.ask('privacy', APPROVE, { id: erasure }), 'approveErasure')).toMatchObject({ state: 'ERASED' })
    expect(shown(await open.ask('admin', REQUEST, { id }), 'requestErasure')).toMatchObject({ id: erasure, state: 'ERASED' })
    const read = await open.ask('admin', READ, { id: erasure })
    // the reason could name the patient
    expect(shown(read, 'erasure')).toMatchObject({ state: 'ERASED', reason: null })
    expect(await auditOf(clinic, read)).toMatchObject([{ path: 'Query.erasure', outcome: 'DISCLOSED', recordType: 'Erasure' }])
    expect(codesOf(await open.ask('privacy', HOLD, { id }))).toEqual(['FIELD_ERASED'])
  })

  it('states in its certificate who did it, when, which keys, and until when copies can exist', async () => {
    const id = patientAt(1)
    const answer = await open.ask('privacy', APPROVE, { id: await requested(open, id) })
    const { certificate, requestedBy, approvedBy, erasedAt, completeAt } = shown(answer, 'approveErasure') ?? {}
    const statement = JSON.parse(certificate ?? '') as Readonly<Record<string, unknown>>
    expect(statement).toMatchObject({
      statement: 'phi-gateway erasure v1',
      tenant: 'riverside',
      patient: refOf(id).patient,
      requestedBy,
      approvedBy,
      erasedAt,
      keyVersions: [1],
      copiesUntil: completeAt,
    })
    expect(statement['tombstone']).toMatch(/^[\w-]{22}$/)
    expect(statement['entriesRemoved']).toBeGreaterThan(3)
    expect(Object.keys(statement)).toHaveLength(12)
    expect(Date.parse(completeAt ?? '') - Date.parse(erasedAt ?? '')).toBe(35 * 86_400_000)
    expect(requestedBy).not.toBe(approvedBy)
  })

  it('ends each change that was prepared before: no value and no entry is added afterwards', async () => {
    const id = patientAt(8)
    const { patient } = refOf(id)
    const { services } = clinic
    const changes = new RecordChanges({ ...services, history: services.recordHistory })
    const record = {
      ref: { type: 'Coverage' as TypeName, patient, id: randomBytes(16).toString('base64url') as RecordId },
      values: new Map([['Coverage.subscriberId' as SchemaPath, 'late']]),
      metadata: { open: {}, references: {} },
    }
    const change = { patient, isNew: false, records: [{ kind: 'CREATE', record } as const], access: [], references: [] }
    const prepared = await changes.prepare(RIVERSIDE, compiled.policy, change)
    if (prepared.kind !== 'PREPARED') throw new Error('the change can be prepared')
    await open.ask('privacy', APPROVE, { id: await requested(open, id) })
    await expect(commit(services, prepared.items, patient)).rejects.toThrow(VersionConflict)
    expect(await entriesOf(clinic, id)).toEqual([])
    await expect(changes.prepare(RIVERSIDE, compiled.policy, change)).rejects.toThrow(Erased)
  })

  it('needs a recent sign-in for both steps', async () => {
    const later = await clinic.another({ now: () => Date.now() + 6 * 60_000, env: { PHI_RETENTION: NO_RETENTION } })
    const id = patientAt(2)
    expect(codesOf(await later.ask('admin', REQUEST, { id }))).toEqual(['STEP_UP_REQUIRED'])
    const erasure = await requested(open, id)
    expect(codesOf(await later.ask('privacy', APPROVE, { id: erasure }))).toEqual(['STEP_UP_REQUIRED'])
    expect(await mrnOf(id)).not.toBe('null')
  })

  it.each([
    ['requestErasure', REQUEST, ['physician', 'privacy', 'frontdesk', 'patient']],
    ['approveErasure', APPROVE, ['physician', 'admin', 'frontdesk', 'patient']],
    ['placeLegalHold', HOLD, ['physician', 'admin', 'patient']],
    ['releaseLegalHold', RELEASE, ['physician', 'admin', 'patient']],
    ['erasure', READ, ['physician', 'patient']],
    ['legalHolds', HOLDS, ['physician', 'patient']],
  ])('%s is denied to other roles', async (root, query, users) => {
    for (const user of users) {
      const answer = await open.ask(user, query, { id: patientAt(2) })
      expect(answer.data).toEqual({ [root]: null })
      expect(codesOf(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE ROLE'])
    }
  })

  it('P5: an id of another tenant, of another type, or of nobody, is NOT_FOUND', async () => {
    const [elsewhere = ''] = await patientsOf(clinic, 'lakeside-physician')
    expect(refOf(elsewhere)).toBeDefined()
    for (const id of [elsewhere, madeUpId(), 'nonsense'])
      for (const [user, query] of [
        ['admin', REQUEST],
        ['privacy', HOLD],
        ['privacy', HOLDS],
      ] as const)
        expect(codesOf(await open.ask(user, query, { id }))).toEqual(['NOT_FOUND'])
    for (const id of [patientAt(3), madeUpId()])
      for (const query of [APPROVE, RELEASE, READ]) expect(codesOf(await open.ask('privacy', query, { id }))).toEqual(['NOT_FOUND'])
    expect(await entriesOf(clinic, elsewhere)).not.toEqual([])
    expect(await clinic.services.access.erasure(LAKESIDE, refOf(elsewhere).patient)).toBeUndefined()
  })
})

describe('C26: retention and legal holds are checked at the request and at the approval', () => {
  it('without a declared rule, nobody is erased', async () => {
    const answer = await clinic.ask('admin', REQUEST, { id: patientAt(3) })
    expect(shown(answer, 'requestErasure')).toMatchObject({ id: null, state: 'REFUSED', refusal: 'NO_RETENTION_RULE' })
    expect(await auditOf(clinic, answer)).toMatchObject([{ path: 'Mutation.requestErasure', outcome: 'DENIED' }])
  })

  it('a rule of years refuses with the date, and the rule of the tenant overrides the default', async () => {
    const rule = { default: { years: 0 }, tenants: { riverside: { years: 30 } } }
    const kept = await clinic.another({ env: { PHI_RETENTION: JSON.stringify(rule) } })
    const id = patientAt(3)
    const refused = shown(await kept.ask('admin', REQUEST, { id }), 'requestErasure')
    expect(refused).toMatchObject({ state: 'REFUSED', refusal: 'RETENTION' })
    expect(Date.parse(refused?.['erasableFrom'] ?? '')).toBeGreaterThan(Date.now())
    // requested under one rule, approved under another
    const erasure = await requested(open, id)
    expect(shown(await kept.ask('privacy', APPROVE, { id: erasure }), 'approveErasure')).toMatchObject({
      state: 'REQUESTED',
      refusal: 'RETENTION',
    })
    expect(await mrnOf(id)).not.toBe('null')
  })

  it('records of minors are kept until the age of the rule', async () => {
    const rule = { default: { years: 0, minors: { untilAge: 150, birthDate: 'Patient.birthDate' } } }
    const kept = await clinic.another({ env: { PHI_RETENTION: JSON.stringify(rule) } })
    const id = patientAt(4)
    const born = String(
      at((await open.ask('frontdesk', 'query ($id: ID!) { patient(id: $id) { birthDate } }', { id })).data, 'patient', 'birthDate'),
    )
    const refused = shown(await kept.ask('admin', REQUEST, { id }), 'requestErasure')
    expect(refused?.['erasableFrom']?.slice(0, 4)).toBe(String(Number(born.slice(0, 4)) + 150))
  })

  it('a hold refuses the request and the approval until it is released', async () => {
    const id = patientAt(4)
    const erasure = await requested(open, id)
    const placed = await open.ask('privacy', HOLD, { id })
    const hold = shown(placed, 'placeLegalHold')
    expect(hold).toMatchObject({ released: false, patientId: id })
    expect(await auditOf(clinic, placed)).toMatchObject([{ path: '#legal-hold', action: 'CREATE', outcome: 'WRITTEN' }])
    // the same hold again is one hold
    expect(shown(await open.ask('privacy', HOLD, { id }), 'placeLegalHold')).toEqual(hold)
    expect(at((await open.ask('admin', HOLDS, { id })).data, 'legalHolds')).toMatchObject([{ reason: 'a claim', released: false }])
    expect(shown(await open.ask('privacy', APPROVE, { id: erasure }), 'approveErasure')).toMatchObject({
      state: 'REQUESTED',
      refusal: 'LEGAL_HOLD',
    })
    const other = patientAt(5)
    await open.ask('privacy', HOLD, { id: other })
    expect(shown(await open.ask('admin', REQUEST, { id: other }), 'requestErasure')).toMatchObject({ refusal: 'LEGAL_HOLD' })

    const released = await open.ask('privacy', RELEASE, { id: hold?.['id'] })
    expect(shown(released, 'releaseLegalHold')).toMatchObject({ released: true })
    expect(await auditOf(clinic, released)).toMatchObject([{ path: '#legal-hold', action: 'DELETE', outcome: 'WRITTEN' }])
    expect(at((await open.ask('admin', HOLDS, { id })).data, 'legalHolds')).toEqual([])
    expect(shown(await open.ask('privacy', APPROVE, { id: erasure }), 'approveErasure')).toMatchObject({ state: 'ERASED' })
  })

  it('a hold that was removed from the database is no missing hold: nothing is erased', async () => {
    const id = patientAt(5)
    const hand = new DatabaseHand(clinic)
    const key = { pk: { S: `riverside#${refOf(id).patient}` }, sk: { S: '#ERASURE' } }
    const item = await hand.read(key, 'ACCESS')
    await hand.remove(key, 'ACCESS')
    expect(codesOf(await open.ask('admin', REQUEST, { id }))).toEqual(['FIELD_UNAVAILABLE'])
    await hand.put(item, 'ACCESS')
    expect(shown(await open.ask('admin', REQUEST, { id }), 'requestErasure')).toMatchObject({ refusal: 'LEGAL_HOLD' })
  })

  it('an unanswered request ends, and can be made again', async () => {
    const id = patientAt(6)
    const erasure = await storedErasure(clinic, id, { until: Date.now() - 1 })
    const expired = await open.ask('privacy', APPROVE, { id: erasure })
    expect(shown(expired, 'approveErasure')).toMatchObject({ state: 'EXPIRED', refusal: 'EXPIRED' })
    expect(await auditOf(clinic, expired)).toMatchObject([{ path: 'Mutation.approveErasure', outcome: 'DENIED' }])
    expect(await requested(open, id)).not.toBe(erasure)
  })

  it('the requester cannot approve', async () => {
    const id = patientAt(7)
    const erasure = await storedErasure(clinic, id, { requested: { at: 1, by: 'privacy' } })
    const refused = await open.ask('privacy', APPROVE, { id: erasure })
    expect(shown(refused, 'approveErasure')).toMatchObject({ state: 'REQUESTED', refusal: 'SAME_PERSON' })
    expect(await auditOf(clinic, refused)).toMatchObject([{ path: 'Mutation.approveErasure', outcome: 'DENIED' }])
    expect(await mrnOf(id)).not.toBe('null')
  })
})
