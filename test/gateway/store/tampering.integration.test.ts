import { type AttributeValue, DeleteItemCommand, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AuditContext } from '../../../gateway/audit/entry.ts'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import { RecordWriter } from '../../../gateway/store/record-writer.ts'
import type { AccessFault } from '../../../gateway/telemetry/events.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { PatientId, RecordRef } from '../../../gateway/model/ids.ts'
import { decodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, LAKESIDE, nodesAt, outcomesOf, patientsOf, RIVERSIDE } from '../asking.ts'

type Item = Record<string, AttributeValue>

const ON_PANEL = 20

let clinic: RunningClinic
let mine: readonly string[]
/** The patient with the tampered record, another patient, and one of another tenant. */
let victim: string
let other: string
let foreign: string
let stranger: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: ON_PANEL + 1, lakeside: 1 })
  mine = await patientsOf(clinic, 'physician')
  ;[victim = '', other = ''] = mine
  foreign = first(await patientsOf(clinic, 'lakeside-physician'))
  stranger = first((await patientsOf(clinic, 'billing')).filter((id) => !mine.includes(id)))
})
afterAll(() => clinic.stop())

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

function refOf(id: string): RecordRef {
  const ref = decodeNodeId(id)
  if (ref === undefined) throw new Error('no node id')
  return ref
}

const keyOf = (id: string, tenant = RIVERSIDE): Item => {
  const { type, patient, id: record } = refOf(id)
  return { pk: { S: `${tenant}#${patient}` }, sk: { S: `${type}#${record}` } }
}

async function stored(key: Item, table = clinic.stack.env.PHI_TABLE_RECORDS): Promise<Item> {
  const { Item } = await clinic.stack.dynamodb.send(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }))
  if (Item === undefined) throw new Error('no such item')
  return Item
}

/** Writes like an attacker with the database and without keys. The change is undone after the test. */
async function tamper(item: Item, table = clinic.stack.env.PHI_TABLE_RECORDS): Promise<void> {
  const before = await stored({ pk: item['pk'] ?? { S: '' }, sk: item['sk'] ?? { S: '' } }, table)
  undo.push(() => clinic.stack.dynamodb.send(new PutItemCommand({ TableName: table, Item: before })))
  await clinic.stack.dynamodb.send(new PutItemCommand({ TableName: table, Item: item }))
}

const bytes = (value: AttributeValue | undefined): Buffer => Buffer.from(value?.B ?? [])
const without = (item: Item, name: string): Item => Object.fromEntries(Object.entries(item).filter(([key]) => key !== name))
const changed = (value: AttributeValue | undefined, place: number): AttributeValue => {
  const copy = bytes(value)
  copy.writeUInt8((copy.at(place) ?? 0) ^ 1, place < 0 ? copy.length + place : place)
  return { B: copy }
}

async function eventsWhile<T>(work: () => Promise<T>): Promise<{ result: T; events: RunningClinic['events'] }> {
  const from = clinic.events.length
  const result = await work()
  return { result, events: clinic.events.slice(from) }
}

const writtenBy = (): AuditContext => ({
  tenant: RIVERSIDE,
  requestId: newRequestId(clinic.services.process, Date.now(), randomBytes),
  user: 'test',
  roles: [],
  purpose: 'HOPERAT',
  persisted: false,
  policy: '0'.repeat(64),
})

/** Writes another version of a patient's record, as an import does. */
async function update(id: string, values: Record<string, Json>): Promise<void> {
  const writer = new RecordWriter({ ...clinic.services, history: clinic.services.recordHistory })
  const ref = refOf(id)
  await writer.write(writtenBy(), {
    patient: ref.patient,
    records: [
      {
        ref,
        values: new Map(Object.entries(values).map(([path, value]) => [path as SchemaPath, value])),
        metadata: { open: {}, references: {}, source: randomBytes(8).toString('hex') },
      },
    ],
    access: [],
  })
}

const QUERY = 'query ($id: ID!) { patient(id: $id) { familyName gender deceasedDate } }'
const FAMILY = 'f:familyName'

describe('P6: a sealed value opens only in its own place', () => {
  const fieldCases: readonly (readonly [string, (item: Item) => Item | Promise<Item>])[] = [
    ['moved from another path', (item) => ({ ...item, [FAMILY]: item['f:mrn'] ?? { NULL: true } })],
    ['moved from another patient', async (item) => ({ ...item, [FAMILY]: (await stored(keyOf(other)))[FAMILY] ?? { NULL: true } })],
    [
      'moved from another tenant',
      async (item) => ({ ...item, [FAMILY]: (await stored(keyOf(foreign, LAKESIDE)))[FAMILY] ?? { NULL: true } }),
    ],
    ['changed in one bit', (item) => ({ ...item, [FAMILY]: changed(item[FAMILY], -1) })],
    ['of another key version', (item) => ({ ...item, [FAMILY]: changed(item[FAMILY], 4) })],
    ['of another format', (item) => ({ ...item, [FAMILY]: changed(item[FAMILY], 0) })],
    ['cut short', (item) => ({ ...item, [FAMILY]: { B: bytes(item[FAMILY]).subarray(0, 20) } })],
    ['of no bytes at all', (item) => ({ ...item, [FAMILY]: { S: 'x' } })],
    ['removed', (item) => without(item, FAMILY)],
  ]

  it.each(fieldCases)('a value %s is unavailable and reported, never disclosed and never absent', async (_what, change) => {
    const before = await clinic.ask('physician', QUERY, { id: victim })
    const name = String(at(before.data, 'patient', 'familyName'))
    await tamper(await change(await stored(keyOf(victim))))
    const { result, events } = await eventsWhile(() => clinic.ask('physician', QUERY, { id: victim }))

    expect(result.status).toBe(200)
    expect(result.text).not.toContain(name)
    expect(at(result.data, 'patient')).toEqual({
      familyName: null,
      gender: at(before.data, 'patient', 'gender'),
      deceasedDate: null,
    })
    expect(result.errors).toEqual([
      {
        message: expect.any(String) as string,
        path: ['patient', 'familyName'],
        extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Patient.familyName', count: 1, paths: [['patient', 'familyName']] },
      },
    ])
    expect(result.phi.resolved).toBe(1)
    expect(outcomesOf(await auditOf(clinic, result))).toEqual([
      'Patient.deceasedDate ABSENT',
      'Patient.familyName UNAVAILABLE INTEGRITY',
      'Patient.gender DISCLOSED',
    ])
    expect(events.filter(({ event }) => event === 'INTEGRITY_FAILURE')).toEqual([
      {
        event: 'INTEGRITY_FAILURE',
        requestId: result.phi.requestId,
        tenant: RIVERSIDE,
        record: refOf(victim),
        path: 'Patient.familyName',
      },
    ])
  })

  it('a value inserted into an absent field is an integrity failure too', async () => {
    const item = await stored(keyOf(victim))
    await tamper({ ...item, 'f:deceasedDate': item['f:birthDate'] ?? { NULL: true } })
    const answer = await clinic.ask('physician', QUERY, { id: victim })
    expect(at(answer.data, 'patient', 'deceasedDate')).toBeNull()
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Patient.deceasedDate' } }])
  })

  it('a value moved between two records of one patient does not open', async () => {
    const list = 'query ($id: ID!) { patient(id: $id) { observations(first: 2) { edges { node { id code { text } } } } } }'
    const before = await clinic.ask('physician', list, { id: victim })
    const [one, two] = nodesAt(before.data, 'patient', 'observations').map((node) => String(at(node, 'id')))
    const [item, source] = [await stored(keyOf(one ?? '')), await stored(keyOf(two ?? ''))]
    await tamper({ ...item, 'f:code': source['f:code'] ?? { NULL: true } })
    const answer = await clinic.ask('physician', list, { id: victim })
    expect(nodesAt(answer.data, 'patient', 'observations').map((node) => at(node, 'code') === null)).toEqual([true, false])
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Observation.code', count: 1 } }])
  })

  it('an older value that is restored alone does not open', async () => {
    const patient = mine[5] ?? ''
    const old = await stored(keyOf(patient))
    await update(patient, { 'Patient.familyName': 'Newname', 'Patient.gender': 'other' })
    const current = await stored(keyOf(patient))
    expect(at((await clinic.ask('physician', QUERY, { id: patient })).data, 'patient', 'familyName')).toBe('Newname')
    await tamper({ ...current, [FAMILY]: old[FAMILY] ?? { NULL: true } })
    const answer = await clinic.ask('physician', QUERY, { id: patient })
    expect(at(answer.data, 'patient')).toEqual({ familyName: null, gender: 'other', deceasedDate: null })
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Patient.familyName' } }])
    // the older manifest does not fit the newer values, and the newer manifest does not fit a value that was dropped since
    await tamper({ ...current, m: old['m'] ?? { NULL: true } })
    const rolled = await clinic.ask('physician', QUERY, { id: patient })
    expect(at(rolled.data, 'patient')).toBeNull()
    expect(rolled.errors[0]?.extensions['code']).toBe('FIELD_UNAVAILABLE')
    await tamper({ ...current, 'f:mrn': old['f:mrn'] ?? { NULL: true } })
    const dropped = await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { mrn } }', { id: patient })
    expect(dropped.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Patient.mrn' } }])
  })

  const manifestCases: readonly (readonly [string, (item: Item) => Item | Promise<Item>])[] = [
    ['of another patient', async (item) => ({ ...item, m: (await stored(keyOf(other)))['m'] ?? { NULL: true } })],
    ['of another tenant', async (item) => ({ ...item, m: (await stored(keyOf(foreign, LAKESIDE)))['m'] ?? { NULL: true } })],
    ['changed in one bit', (item) => ({ ...item, m: changed(item['m'], -1) })],
    ['that was removed', (item) => without(item, 'm')],
    [
      'with the whole record of another patient under it',
      async (item) => ({ ...(await stored(keyOf(other))), pk: item['pk'] ?? { S: '' }, sk: item['sk'] ?? { S: '' } }),
    ],
  ]
  it.each(manifestCases)('nothing of a record opens under a manifest %s', async (_what, change) => {
    await tamper(await change(await stored(keyOf(victim))))
    const { result, events } = await eventsWhile(() => clinic.ask('physician', QUERY, { id: victim }))
    expect(result.status).toBe(200)
    expect(result.data).toEqual({ patient: null })
    expect(result.errors).toMatchObject([{ path: ['patient'], extensions: { code: 'FIELD_UNAVAILABLE' } }])
    expect(result.phi.resolved).toBe(0)
    expect(outcomesOf(await auditOf(clinic, result))).toEqual([
      'Patient.deceasedDate UNAVAILABLE INTEGRITY',
      'Patient.familyName UNAVAILABLE INTEGRITY',
      'Patient.gender UNAVAILABLE INTEGRITY',
    ])
    expect(events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE', record: refOf(victim) }))
  })

  const LIST = 'query ($id: ID!) { patient(id: $id) { familyName observations { edges { node { id category } } } } }'
  const listOf = async (id: string): Promise<readonly unknown[]> =>
    nodesAt((await clinic.ask('physician', LIST, { id })).data, 'patient', 'observations')

  /** Asserts that one place of the list is null with an error, and that the list is as long as before. */
  async function expectOneGap(before: readonly unknown[], gap: number): Promise<void> {
    const { result, events } = await eventsWhile(() => clinic.ask('physician', LIST, { id: victim }))
    const after = nodesAt(result.data, 'patient', 'observations')
    expect(after).toEqual(before.map((node, index) => (index === gap ? null : node)))
    expect(result.errors).toMatchObject([
      {
        path: ['patient', 'observations', 'edges', gap, 'node'],
        extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'ObservationEdge.node', count: 1 },
      },
    ])
    const record = refOf(String(at(before[gap], 'id')))
    expect(events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE', record }))
    expect(outcomesOf(await auditOf(clinic, result))).toContain('Observation.category UNAVAILABLE INTEGRITY')
  }

  it('a list record with a manifest that does not open is a gap with an error, never a shorter list', async () => {
    const before = await listOf(victim)
    await tamper({ ...(await stored(keyOf(String(at(before[3], 'id'))))), m: { B: Buffer.alloc(80) } })
    await expectOneGap(before, 3)
  })

  it('a record that was deleted without the gateway is a gap with an error, never a shorter list', async () => {
    const before = await listOf(victim)
    const key = keyOf(String(at(before[2], 'id')))
    const item = await stored(key)
    const TableName = clinic.stack.env.PHI_TABLE_RECORDS
    undo.push(() => clinic.stack.dynamodb.send(new PutItemCommand({ TableName, Item: item })))
    await clinic.stack.dynamodb.send(new DeleteItemCommand({ TableName, Key: key }))
    await expectOneGap(before, 2)
  })

  it('a whole record that was restored to an older version is an integrity failure', async () => {
    const patient = mine[11] ?? ''
    const before = await listOf(patient)
    const id = String(at(before[1], 'id'))
    const old = await stored(keyOf(id))
    await update(id, { 'Observation.category': 'changed' })
    await tamper(old)
    const { result, events } = await eventsWhile(() => clinic.ask('physician', LIST, { id: patient }))
    expect(
      nodesAt(result.data, 'patient', 'observations')
        .map((node) => node === null)
        .filter(Boolean),
    ).toHaveLength(1)
    expect(events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE', record: refOf(id) }))
  })

  const indexKey = (id: string, chunk = ''): Item => ({
    pk: { S: `${RIVERSIDE}#${refOf(id).patient}` },
    sk: { S: `#INDEX${chunk}` },
  })
  const remove = async (key: Item): Promise<void> => {
    const item = await stored(key)
    const TableName = clinic.stack.env.PHI_TABLE_RECORDS
    undo.push(() => clinic.stack.dynamodb.send(new PutItemCommand({ TableName, Item: item })))
    await clinic.stack.dynamodb.send(new DeleteItemCommand({ TableName, Key: key }))
  }
  const chunksOf = async (id: string): Promise<Item[]> => {
    const { Items = [] } = await clinic.stack.dynamodb.send(
      new QueryCommand({
        TableName: clinic.stack.env.PHI_TABLE_RECORDS,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)',
        ExpressionAttributeValues: { ':pk': { S: `${RIVERSIDE}#${refOf(id).patient}` }, ':sk': { S: '#INDEX#' } },
      }),
    )
    return Items
  }
  const rootCases: readonly (readonly [string, () => Promise<void>])[] = [
    ['was removed', () => remove(indexKey(victim))],
    [
      'is another patient`s',
      async () => tamper({ ...indexKey(victim), m: (await stored(indexKey(other)))['m'] ?? { NULL: true } }),
    ],
    ['was altered', async () => tamper({ ...indexKey(victim), m: changed((await stored(indexKey(victim)))['m'], -1) })],
  ]
  it.each(rootCases)(
    "if the index root %s, the version of the patient's record is unknown and the record is unavailable",
    async (_name, attack) => {
      await attack()
      const { result, events } = await eventsWhile(() => clinic.ask('physician', LIST, { id: victim }))
      expect(result.data).toEqual({ patient: null })
      expect(result.errors).toMatchObject([{ path: ['patient'], extensions: { code: 'FIELD_UNAVAILABLE' } }])
      expect(outcomesOf(await auditOf(clinic, result))).toEqual([
        'Patient.familyName UNAVAILABLE INTEGRITY',
        'Patient.observations UNAVAILABLE INTEGRITY',
      ])
      expect(events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE', record: refOf(victim) }))
    },
  )

  const indexCases: readonly (readonly [string, () => Promise<void>])[] = [
    [
      'were removed',
      async () => {
        for (const { pk, sk } of await chunksOf(victim)) await remove({ pk: pk ?? { S: '' }, sk: sk ?? { S: '' } })
      },
    ],
    [
      'changed places',
      async () => {
        const chunks = await chunksOf(victim)
        for (const [index, chunk] of chunks.entries()) await tamper({ ...chunk, m: chunks.at(index - 1)?.['m'] ?? { NULL: true } })
      },
    ],
  ]
  it.each(indexCases)('a list with chunks that %s is null with an error, never shorter', async (_name, attack) => {
    expect((await chunksOf(victim)).length).toBeGreaterThan(1)
    await attack()
    const { result, events } = await eventsWhile(() => clinic.ask('physician', LIST, { id: victim }))
    expect(at(result.data, 'patient', 'observations')).toBeNull()
    expect(at(result.data, 'patient', 'familyName')).not.toBeNull()
    expect(result.errors).toMatchObject([
      { path: ['patient', 'observations'], extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Patient.observations' } },
    ])
    expect(outcomesOf(await auditOf(clinic, result))).toEqual([
      'Patient.familyName DISCLOSED',
      'Patient.observations UNAVAILABLE INTEGRITY',
    ])
    expect(events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE' }))
  })

  it('an altered patient key opens nothing', async () => {
    const patient = mine[7] ?? ''
    const table = clinic.stack.env.PHI_TABLE_KEYS
    const item = await stored({ pk: { S: `${RIVERSIDE}#${refOf(patient).patient}` }, sk: { S: 'KEY' } }, table)
    const [version] = item['versions']?.L ?? []
    await tamper({ ...item, versions: { L: [{ M: { ...version?.M, wrapped: changed(version?.M?.['wrapped'], -1) } }] } }, table)
    const { ask, events } = await clinic.another()
    const answer = await ask('physician', QUERY, { id: patient })
    expect(answer.data).toEqual({ patient: null })
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE' } }])
    expect(events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE' }))
  })
})

describe('P6: write access to the access table grants no access', () => {
  /** The memberships of a patient in the index by user. */
  const membershipsOf = async (id: string): Promise<Item[]> => {
    const { Items = [] } = await clinic.stack.dynamodb.send(
      new QueryCommand({
        TableName: clinic.stack.env.PHI_TABLE_ACCESS,
        KeyConditionExpression: 'pk = :patient AND begins_with(sk, :kind)',
        ExpressionAttributeValues: { ':patient': { S: `${RIVERSIDE}#${refOf(id).patient}` }, ':kind': { S: 'CARE_TEAM#' } },
      }),
    )
    return Items
  }
  const denied = (answer: ClinicAnswer): void => {
    expect(at(answer.data, 'patient', 'familyName')).toBeNull()
    expect(answer.errors).toContainEqual(
      expect.objectContaining({ extensions: expect.objectContaining({ reason: 'RELATIONSHIP' }) as unknown }),
    )
  }
  const forged = (patient: PatientId, what: AccessFault): object => ({
    event: 'ACCESS_ITEM_FORGED',
    tenant: RIVERSIDE,
    patient,
    what,
  })

  it('a membership copied to another patient does not hold, and adds the patient to no panel', async () => {
    const { patient } = refOf(stranger)
    for (const copied of await membershipsOf(mine[15] ?? '')) {
      const item = { ...copied, pk: { S: `${RIVERSIDE}#${patient}` } }
      await clinic.stack.dynamodb.send(new PutItemCommand({ TableName: clinic.stack.env.PHI_TABLE_ACCESS, Item: item }))
    }
    denied(await clinic.ask('physician', QUERY, { id: stranger }))
    expect(await patientsOf(clinic, 'physician')).toEqual(mine)
  })

  it('altered memberships do not hold', async () => {
    const patient = mine[16] ?? ''
    const table = clinic.stack.env.PHI_TABLE_ACCESS
    const manifest = await stored({ pk: { S: `${RIVERSIDE}#${refOf(patient).patient}` }, sk: { S: '#ROOT' } }, table)
    await tamper({ ...manifest, v: changed(manifest['v'], -1) }, table)
    const { result, events } = await eventsWhile(() => clinic.ask('physician', QUERY, { id: patient }))
    expect(result.data).toEqual({ patient: null })
    expect(result.errors).toMatchObject([{ path: ['patient'], extensions: { code: 'FIELD_UNAVAILABLE' } }])
    expect(events).toContainEqual(forged(refOf(patient).patient, 'MANIFEST_ALTERED'))
    const panel = await clinic.ask('physician', '{ patients(first: 100) { edges { node { id } } } }')
    expect(nodesAt(panel.data, 'patients').map((node) => at(node, 'id') ?? null)).toEqual(
      mine.map((id) => (id === patient ? null : id)),
    )
  })
})

describe('P6: one answer never mixes two versions of a record', () => {
  it('a field that is read after the record changed is unavailable, and recorded so', async () => {
    const patient = mine[9] ?? ''
    const { records } = clinic.services
    const list = records.indexRoot.bind(records)
    const slipped = vi.spyOn(records, 'indexRoot').mockImplementationOnce(async (...args) => {
      // between the first load of the patient and the load for the edge back
      await update(patient, { 'Patient.familyName': 'Newname', 'Patient.gender': 'other', 'Patient.mrn': 'MRN-1' })
      return await list(...args)
    })
    const query = `query ($id: ID!) {
      patient(id: $id) { familyName observations(first: 1) { edges { node { patient { familyName mrn } } } } }
    }`
    const answer = await clinic.ask('physician', query, { id: patient })
    expect(slipped).toHaveBeenCalled()
    slipped.mockRestore()
    const again = at(nodesAt(answer.data, 'patient', 'observations')[0], 'patient')
    expect(again).toEqual({ familyName: at(answer.data, 'patient', 'familyName'), mrn: null })
    expect(answer.text).not.toContain('Newname')
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Patient.mrn' } }])
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual([
      'Patient.familyName DISCLOSED',
      'Patient.mrn UNAVAILABLE VERSION',
      'Patient.observations DISCLOSED',
    ])
  })
})
