import { type AttributeValue, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { SealedRecord } from '../../../gateway/crypto/sealed-record.ts'
import { keyRotation } from '../../../gateway/admin/key-admin.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { destroyPatientKeys } from '../../../gateway/store/key-destruction.ts'
import { Erased, IntegrityFailure, VersionConflict } from '../../../gateway/model/failures.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import type { Sensitivity } from '../../../directives/policy.ts'
import { itemBytes } from '../../../bench/store/item-size.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions, commit } from '../admitted.ts'
import { at, auditOf, madeUpId, nodesAt, outcomesOf, RIVERSIDE, workOf } from '../asking.ts'
import { accessManifest, DatabaseHand, flipped, type Item, recordItem, refOf } from '../store/database-hand.ts'

const ETH = 'ETH' as Sensitivity
const DIGEST = '0'.repeat(64)
const KEY_LIFE_MS = 60_000

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions
let hand: DatabaseHand
const openings = vi.spyOn(SealedRecord.prototype, 'openField')

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  store = await openStore(RIVERSIDE, DIGEST, clinic.stack.env)
  ward = new Admissions(store)
  hand = new DatabaseHand(clinic)
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})
beforeEach(() => {
  openings.mockClear()
})

const chart = (patient: string) => [
  ward.record(patient, 'Patient', '', { familyName: 'Whole', ssn: '123-45-6789', 'address.city': 'Dover', mrn: 'MRN-1' }),
  ward.record(patient, 'Encounter', 'V1', { status: 'finished' }, { date: '2024-01-02T00:00:00.000Z' }),
  ward.record(
    patient,
    'Condition',
    'plain',
    { code: { coding: [], text: 'plain' } },
    { date: '2024-01-02T00:00:00.000Z', references: { encounter: ward.ref(patient, 'Encounter', 'V1').id } },
  ),
]
const TEAM = ['physician', 'nurse']
const admit = (patient: string): Promise<string> => ward.write(patient, chart(patient), TEAM)

async function destroyKeys(id: string, services = clinic.services): Promise<void> {
  const { patient } = refOf(id)
  await commit(services, await destroyPatientKeys(services, RIVERSIDE, patient, Date.now() as Instant), patient)
}
const keyItem = (id: string): Item => ({ pk: { S: `${RIVERSIDE}#${refOf(id).patient}` }, sk: { S: 'KEY' } })

/** The lengths of the audit items of an answer, in bytes, as DynamoDB counts them. */
async function lengthsOf({ phi }: ClinicAnswer): Promise<number[]> {
  const { Items = [] } = await clinic.stack.dynamodb.send(
    new ScanCommand({
      TableName: clinic.stack.env.PHI_TABLE_AUDIT,
      FilterExpression: 'contains(e, :id)',
      ExpressionAttributeValues: { ':id': { S: phi.requestId } },
    }),
  )
  // an item on the wire has binary values as text
  const onTheWire = Items.map((item) => Object.fromEntries(Object.entries(item).map(([name, value]) => [name, wireValue(value)])))
  return onTheWire.map(itemBytes)
}

const wireValue = (value: AttributeValue) => (value.B === undefined ? value : { B: Buffer.from(value.B).toString('base64') })

/** The parts of an answer about one field in which the outcomes differ, and its audit records. */
interface Seen {
  readonly data: unknown
  readonly error: unknown
  readonly masked: unknown
  readonly audit: readonly string[]
}

const ONE = {
  DISCLOSED: { user: 'physician', field: 'familyName' },
  MASKED: { user: 'billing', field: 'ssn' },
  DENIED: { user: 'physician', field: 'ssn' },
  ABSENT: { user: 'physician', field: 'deceasedDate' },
} as const

async function seen(user: string, id: string, field: string): Promise<Seen> {
  const answer = await clinic.ask(user, `query ($id: ID!) { patient(id: $id) { ${field} } }`, { id })
  expect(answer.status).toBe(200)
  expect(answer.errors.length).toBeLessThan(2)
  return {
    data: at(answer.data, 'patient', field),
    error: answer.errors[0] && [answer.errors[0].extensions['code'], answer.errors[0].path],
    masked: answer.phi.masked?.map(({ coordinate, view }) => `${coordinate} ${view}`),
    audit: outcomesOf(await auditOf(clinic, answer)),
  }
}

describe('P9: each outcome over HTTP', () => {
  let whole: string
  let erased: string
  let damaged: string

  beforeAll(async () => {
    whole = await admit('whole')
    erased = await admit('gone')
    await destroyKeys(erased)
    damaged = await admit('damaged')
    const item = await hand.read(recordItem(damaged))
    await hand.put({ ...item, 'f:familyName': flipped(item['f:familyName']) })
  })
  const of = (outcome: keyof typeof ONE): Promise<Seen> => seen(ONE[outcome].user, whole, ONE[outcome].field)
  const ofErased = (): Promise<Seen> => seen('physician', erased, 'familyName')
  const ofDamaged = (): Promise<Seen> => seen('physician', damaged, 'familyName')
  const nothing = { error: undefined, masked: [] }

  it('disclosed: the value, and no error', async () => {
    expect(await of('DISCLOSED')).toEqual({ ...nothing, data: 'Whole', audit: ['Patient.familyName DISCLOSED'] })
  })

  it('masked: the masked value, and its view', async () => {
    const audit = ['Patient.ssn MASKED LAST4']
    expect(await of('MASKED')).toEqual({ ...nothing, data: '***-**-6789', masked: ['Patient.ssn LAST4'], audit })
  })

  it('denied: null, with the reason and the rule', async () => {
    const error = ['UNAUTHORIZED_FIELD_OR_TYPE', ['patient', 'ssn']]
    expect(await of('DENIED')).toEqual({ ...nothing, data: null, error, audit: ['Patient.ssn DENIED ROLE'] })
  })

  it('absent: null, and no error', async () => {
    expect(await of('ABSENT')).toEqual({ ...nothing, data: null, audit: ['Patient.deceasedDate ABSENT'] })
  })

  it('erased: null, and FIELD_ERASED', async () => {
    const error = ['FIELD_ERASED', ['patient', 'familyName']]
    expect(await ofErased()).toEqual({ ...nothing, data: null, error, audit: ['Patient.familyName ERASED'] })
  })

  it('unavailable: null, and FIELD_UNAVAILABLE', async () => {
    const error = ['FIELD_UNAVAILABLE', ['patient', 'familyName']]
    expect(await ofDamaged()).toEqual({ ...nothing, data: null, error, audit: ['Patient.familyName UNAVAILABLE INTEGRITY'] })
  })

  it('P5: three closed conditions change only the audit: bytes, requests, transactions and item lengths are equal', async () => {
    const closed = [1, 2, 3].map((number) =>
      ward.record('left', 'Condition', `use ${number}`, { code: { coding: [], text: 'use' } }, { labels: [ETH] }),
    )
    const left = await ward.write('left', [...chart('left'), ...closed], TEAM)
    const query = `query ($id: ID!) { patient(id: $id) { familyName conditions(first: 5) {
      edges { node { code { text } version } } pageInfo { hasNextPage hasPreviousPage } mayBeIncomplete } } }`
    const asked = async (id: string) => {
      const sent = vi.spyOn(clinic.services.audit, 'append')
      const { result, requests } = await workOf(clinic, () => clinic.ask('physician', query, { id }))
      const transactions = sent.mock.calls.length
      sent.mockRestore()
      return { answer: result, work: { requests, transactions, lengths: await lengthsOf(result) } }
    }
    // the first request of a lane and session stores more
    await asked(left)
    await asked(whole)
    const [one, two] = [await asked(left), await asked(whole)]
    expect(one.answer.text).toContain('"plain"')
    expect(bytesOf(one.answer)).toBe(bytesOf(two.answer))
    expect(one.answer.text).toHaveLength(two.answer.text.length)
    expect(one.work).toEqual(two.work)
    expect(one.work).toMatchObject({ transactions: 1, lengths: [expect.any(Number) as number] })
    const [told, other] = await Promise.all([one, two].map(async ({ answer }) => outcomesOf(await auditOf(clinic, answer))))
    expect(told).toEqual([...(other ?? []), ...closed.map(() => 'Condition.id DENIED CONSENT')].toSorted())
  })

  it('each of the six differs from the others, for the client and in the audit', async () => {
    const all = [...(await Promise.all((Object.keys(ONE) as (keyof typeof ONE)[]).map(of))), await ofErased(), await ofDamaged()]
    const told = all.map(({ data, error, masked }) => JSON.stringify([data === null, at(error, 0), masked]))
    expect(new Set(told).size).toBe(6)
    expect(new Set(all.map(({ audit }) => audit[0]?.split(' ')[1])).size).toBe(6)
  })
})

describe('P9: an erased patient', () => {
  let id: string
  beforeAll(async () => {
    id = await admit('erased')
    await destroyKeys(id)
  })
  const linesOf = (answer: ClinicAnswer) =>
    answer.errors.map(({ extensions: { code, coordinate } }) => `${String(coordinate)} ${String(code)}`)

  it('every granted path is erased once, a path that is not granted is denied, and nothing is opened', async () => {
    const query = `query ($id: ID!) { patient(id: $id) {
      id version familyName again: familyName address { city } ssn
      conditions(first: 5) { edges { node { code { text } } } } } node(id: $id) { ... on Patient { familyName } } }`
    const answer = await clinic.ask('physician', query, { id })
    expect(answer.status).toBe(200)
    const empty = { familyName: null, again: null, address: { city: null }, ssn: null, conditions: null }
    expect(answer.data).toEqual({ patient: { id, version: 0, ...empty }, node: { familyName: null } })
    expect(linesOf(answer).toSorted()).toEqual([
      'Patient.address.city FIELD_ERASED',
      'Patient.conditions FIELD_ERASED',
      'Patient.familyName FIELD_ERASED',
      'Patient.ssn UNAUTHORIZED_FIELD_OR_TYPE',
    ])
    expect(answer.errors.find(({ extensions }) => extensions['coordinate'] === 'Patient.familyName')?.extensions).toMatchObject({
      count: 1,
      paths: [
        ['patient', 'familyName'],
        ['patient', 'again'],
        ['node', 'familyName'],
      ],
    })
    const entries = await auditOf(clinic, answer)
    expect(outcomesOf(entries)).toEqual([
      'Patient.address.city ERASED',
      'Patient.conditions ERASED',
      'Patient.familyName ERASED',
      'Patient.ssn DENIED ROLE',
    ])
    expect(entries.find(({ path }) => path === 'Patient.familyName')).toMatchObject({
      basis: 'CARE_TEAM',
      patient: refOf(id).patient,
    })
    expect(answer.phi).toMatchObject({ resolved: 0, denied: 1, masked: [] })
    expect(openings).not.toHaveBeenCalled()
  })

  it('lists include the patient, and disclose their other entries', async () => {
    const other = await admit('beside')
    const answer = await clinic.ask('physician', '{ patients(first: 100) { edges { node { id familyName } } } }')
    const nodes = nodesAt(answer.data, 'patients')
    expect(nodes).toContainEqual({ id, familyName: null })
    expect(nodes).toContainEqual({ id: other, familyName: 'Whole' })
    expect(linesOf(answer)).toContain('Patient.familyName FIELD_ERASED')
  })

  it('any record by its id is erased, whether it existed or not, with its edges', async () => {
    const query = `query ($id: ID!) { node(id: $id) { id ... on Condition { version code { text } encounter { status } patient { familyName } }
      ... on CareTeamMember { role userId } } }`
    const ask = async (type: string, name: string) => await clinic.ask('nurse', query, { id: ward.id('erased', type, name) })
    for (const name of ['plain', 'never was']) {
      const answer = await ask('Condition', name)
      const node = {
        id: ward.id('erased', 'Condition', name),
        version: 0,
        code: null,
        encounter: null,
        patient: { familyName: null },
      }
      expect(answer.data).toEqual({ node })
      const codes = answer.errors.map(({ extensions, path }) => `${String(path?.join('.'))} ${String(extensions['code'])}`)
      expect(codes.toSorted()).toEqual([
        'node.code FIELD_ERASED',
        'node.encounter FIELD_ERASED',
        'node.patient.familyName FIELD_ERASED',
      ])
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Condition.code ERASED', 'Patient.familyName ERASED'])
    }
    // an erased field that is not nullable makes its record null
    const member = await ask('CareTeamMember', 'any')
    expect([member.status, member.data]).toEqual([200, { node: null }])
    expect(member.errors.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_ERASED', 'FIELD_ERASED'])
  })

  it('P5: callers without a relationship are denied as before, and callers that do not see existence get NOT_FOUND', async () => {
    const alone = await ward.write('alone', chart('alone'))
    const query = 'query ($id: ID!) { patient(id: $id) { id familyName } }'
    const before = await clinic.ask('physician', query, { id: alone })
    await destroyKeys(alone)
    const after = await clinic.ask('physician', query, { id: alone })
    expect([after.data, after.errors]).toEqual([before.data, before.errors])
    expect(after.errors[0]?.extensions).toMatchObject({ code: 'UNAUTHORIZED_FIELD_OR_TYPE', reason: 'RELATIONSHIP' })

    const asked = async (of: string) => {
      const { result, requests } = await workOf(clinic, () => clinic.ask('patient', query, { id: of }))
      return { requests, text: bytesOf(result) }
    }
    const missing = await asked(madeUpId())
    expect(missing.text).toContain('NOT_FOUND')
    expect(await asked(alone)).toEqual(missing)
  })

  it('consents close the patient as before, and explainAccess explains only the rights', async () => {
    const plan = `query ($id: ID!) { explainAccess(query: "query ($id: ID!) { patient(id: $id) { familyName ssn } }", patientId: $id) {
      paths { path outcome rule } } }`
    const rights = await clinic.ask('physician', plan, { id: await admit('planned') })
    expect((await clinic.ask('physician', plan, { id })).data).toEqual(rights.data)

    const denies = await ward.write('denies', chart('denies'), TEAM, [{ id: 'all', effect: 'DENY', actor: 'Practitioner/nurse' }])
    await destroyKeys(denies)
    expect((await seen('nurse', denies, 'familyName')).error).toEqual(['NOT_FOUND', ['patient']])
    expect((await seen('physician', denies, 'familyName')).error).toEqual(['FIELD_ERASED', ['patient', 'familyName']])
  })

  it('no record is written any more', async () => {
    const more = ward.record('erased', 'Condition', 'new', { code: { coding: [], text: 'new' } })
    const before = await hand.all(id)
    await expect(ward.write('erased', [more])).rejects.toThrow(Erased)
    expect(await hand.all(id)).toEqual(before)
  })
})

describe('P13: an erasure', () => {
  it('holds at the next request of every process, whatever the process has cached', async () => {
    const id = await admit('warm')
    const warm = await clinic.another()
    const query = 'query ($id: ID!) { patient(id: $id) { familyName conditions(first: 1) { edges { node { code { text } } } } } }'
    expect((await warm.ask('physician', query, { id })).phi.resolved).toBe(2)
    await destroyKeys(id)
    for (const user of TEAM) {
      const { result, requests } = await workOf(warm, () => warm.ask(user, query, { id }))
      expect(result.data).toEqual({ patient: { familyName: null, conditions: null } })
      expect(result.errors.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_ERASED', 'FIELD_ERASED'])
      // the cached keys are read again, once
      expect(requests.keys).toBeLessThan(2)
    }
    expect(warm.events.filter(({ event }) => event === 'INTEGRITY_FAILURE')).toEqual([])
  })

  it('is one conditional write: it fails if the keys changed in between, and a second one has nothing to write', async () => {
    const id = await admit('twice')
    const { patient } = refOf(id)
    const items = await destroyPatientKeys(clinic.services, RIVERSIDE, patient, Date.now() as Instant)
    await keyRotation(clinic.services, DIGEST).renewPatient(RIVERSIDE, patient)
    const before = [await hand.read(keyItem(id), 'KEYS'), await hand.read(accessManifest(id), 'ACCESS')]
    await expect(commit(clinic.services, items, patient)).rejects.toThrow(VersionConflict)
    expect([await hand.read(keyItem(id), 'KEYS'), await hand.read(accessManifest(id), 'ACCESS')]).toEqual(before)
    await destroyKeys(id)
    expect(Object.keys(await hand.read(keyItem(id), 'KEYS')).toSorted()).toEqual(['pk', 'sk', 'tombstone'])
    expect(await destroyPatientKeys(clinic.services, RIVERSIDE, patient, Date.now() as Instant)).toEqual([])
    expect(await keyRotation(clinic.services, DIGEST).rewrap(RIVERSIDE, () => undefined)).toMatchObject({ refused: 0 })
  })
})

describe('P6: only a valid tombstone counts as an erasure', () => {
  let id: string
  let keys: Item
  let tombstone: Item
  /** A process with nothing cached, and its clock. */
  let cold: Awaited<ReturnType<RunningClinic['another']>>
  let later = 0

  beforeAll(async () => {
    id = await admit('forged')
    keys = await hand.read(keyItem(id), 'KEYS')
    const other = await admit('other')
    await destroyKeys(other)
    tombstone = await hand.read(keyItem(other), 'KEYS')
    cold = await clinic.another({ now: () => Date.now() + later })
  })
  afterEach(async () => {
    await hand.put(keys, 'KEYS')
    // the cache of the process expires before the next test
    later += KEY_LIFE_MS + 1
  })

  async function expectUnavailable(reason: 'INTEGRITY' | 'KEY' = 'INTEGRITY'): Promise<void> {
    const told = cold.events.length
    const answer = await cold.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id })
    expect(answer.status).toBe(200)
    expect(at(answer.data, 'patient', 'familyName') ?? null).toBeNull()
    expect(answer.errors.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_UNAVAILABLE'])
    expect(outcomesOf(await auditOf(cold, answer))).toEqual([`Patient.familyName UNAVAILABLE ${reason}`])
    const event = reason === 'KEY' ? 'KEY_UNAVAILABLE' : 'INTEGRITY_FAILURE'
    expect(cold.events.slice(told)).toContainEqual(expect.objectContaining({ event, tenant: RIVERSIDE }))
  }

  const places = (): Record<string, Item> => ({
    'without its MAC': { ...keyItem(id), tombstone: { B: Buffer.from('{"at":1,"versions":[1]}') } },
    'that is no bytes': { ...keyItem(id), tombstone: { S: 'erased' } },
    'with one bit changed': { ...keyItem(id), tombstone: flipped(tombstone['tombstone']) },
    'of another patient': { ...tombstone, ...keyItem(id) },
    'beside keys': { ...keys, tombstone: tombstone['tombstone'] ?? { S: '' } },
    'that is an empty item': keyItem(id),
  })
  it.each([
    'without its MAC',
    'that is no bytes',
    'with one bit changed',
    'of another patient',
    'beside keys',
    'that is an empty item',
  ])('a tombstone %s', async (which) => {
    await hand.put(places()[which] ?? {}, 'KEYS')
    await expectUnavailable()
  })

  it('no keys and no tombstone', async () => {
    await hand.remove(keyItem(id), 'KEYS')
    await expectUnavailable('KEY')
  })

  it('keys restored over a tombstone do not open, and repeating the erasure does not hide the fault', async () => {
    await destroyKeys(id, cold.services)
    expect(await cold.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id })).toMatchObject({
      errors: [{ extensions: { code: 'FIELD_ERASED' } }],
    })
    await hand.put(keys, 'KEYS')
    later += KEY_LIFE_MS + 1
    await expectUnavailable()
    await hand.remove(keyItem(id), 'KEYS')
    later += KEY_LIFE_MS + 1
    await expectUnavailable()
    await hand.put({ ...tombstone, ...keyItem(id) }, 'KEYS')
    await expect(destroyPatientKeys(cold.services, RIVERSIDE, refOf(id).patient, 1 as Instant)).rejects.toThrow(IntegrityFailure)
  })
})
