import { TransactionCanceledException, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { openPatientAccess } from '../../../gateway/crypto/patient-access.ts'
import { SealedRecord } from '../../../gateway/crypto/sealed-record.ts'
import type { MembershipChange } from '../../../gateway/store/access.ts'
import { AccessWriter } from '../../../gateway/store/access-writer.ts'
import type { AccessFault } from '../../../gateway/telemetry/events.ts'
import { IntegrityFailure, VersionConflict } from '../../../gateway/model/failures.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordRef } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Sensitivity } from '../../../directives/policy.ts'
import type { Json, Membership, NewRecord, RecordMetadata } from '../../../gateway/model/record.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, nodesAt, outcomesOf, RIVERSIDE, workOf } from '../asking.ts'
import { accessManifest, DatabaseHand, flipped, indexRoot, type Item, recordItem, refOf } from './database-hand.ts'

let clinic: RunningClinic
let store: SealedStore
let hand: DatabaseHand

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  hand = new DatabaseHand(clinic)
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})

/** A patient with one allergy, two observations of one visit, and the physician on the care team. All members are node ids. */
interface Chart {
  readonly patient: string
  readonly allergy: string
  readonly visit: string
  readonly observations: readonly [string, string]
}

const BEFORE = 'value-of-before'
const LABELS = ['HIV', 'PSY'] as Sensitivity[]

function record(
  type: string,
  patient: PatientId,
  name: string,
  field: string,
  value: Json,
  metadata: Partial<RecordMetadata> = {},
) {
  const typeName = type as TypeName
  const id = type === 'Patient' ? (patient as string as RecordRef['id']) : store.idFor(type, `${patient}/${name}`)
  return {
    ref: { type: typeName, patient, id },
    values: new Map([[`${type}.${field}` as SchemaPath, value]]),
    metadata: { open: {}, references: {}, source: randomBytes(8).toString('hex'), ...metadata },
  } satisfies NewRecord
}

const onTeam = (patient: PatientId, period: Membership['periods'][number] = {}): Membership => ({
  patient,
  relationship: 'CARE_TEAM',
  fhirUser: 'Practitioner/physician',
  periods: [period],
})
const ENDED = { until: '2020-01-01T00:00:00.000Z' }
const DATE = '2024-05-01T00:00:00.000Z'

/** All records of a patient, in the form that an import writes. */
function chartRecords(patient: PatientId, value: string): NewRecord[] {
  const visit = record('Encounter', patient, 'visit', 'class', value, { date: DATE })
  const references = { encounter: visit.ref.id }
  return [
    record('Patient', patient, '', 'familyName', value),
    record('AllergyIntolerance', patient, 'allergy', 'criticality', value, { date: DATE }),
    visit,
    record('Observation', patient, 'one', 'category', value, { date: DATE, references, labels: LABELS }),
    record('Observation', patient, 'two', 'category', value, { date: '2024-04-01T00:00:00.000Z', references }),
  ]
}

async function admit(periods: readonly Membership['periods'][number][] = [{}]): Promise<Chart> {
  const patient = store.idFor('Patient', randomBytes(6).toString('hex')) as string as PatientId
  const records = chartRecords(patient, BEFORE)
  await store.write({ patient, records, memberships: periods.map((period) => onTeam(patient, period)) })
  const [own, allergy, visit, one, two] = records.map(({ ref }) => encodeNodeId(ref))
  return { patient: own ?? '', allergy: allergy ?? '', visit: visit ?? '', observations: [one ?? '', two ?? ''] }
}

/** Writes new values as an import does: of the record with that id, or of every record. */
async function change(chart: Chart, only?: string, value = 'value-of-now'): Promise<void> {
  const { patient } = refOf(chart.patient)
  const records = chartRecords(patient, value).filter(({ ref }) => only === undefined || encodeNodeId(ref) === only)
  await store.write({ patient, records, memberships: [] })
}

const BY_LIST = `query ($id: ID!) { patient(id: $id) {
  allergyIntolerances { edges { node { criticality } } }
  observations { edges { node { category encounter { class } } } }
} }`
const BY_ID = `query ($id: ID!) { node(id: $id) {
  ... on Patient { familyName } ... on AllergyIntolerance { criticality } ... on Observation { category } ... on Encounter { class }
} }`
const BY_EDGE = 'query ($id: ID!) { node(id: $id) { ... on Observation { encounter { class } patient { familyName } } } }'
const OWN = 'query ($id: ID!) { patient(id: $id) { familyName } }'

async function ask(query: string, id: string): Promise<{ answer: ClinicAnswer; events: RunningClinic['events']; audit: string[] }> {
  const from = clinic.events.length
  const answer = await clinic.ask('physician', query, { id })
  const events = clinic.events.slice(from)
  return { answer, events, audit: outcomesOf(await auditOf(clinic, answer)) }
}

/**
 * Asserts that the answer has an error at this path, the audit has UNAVAILABLE INTEGRITY, operators get an event, and no old value
 * is disclosed.
 */
async function expectNoticed(
  query: string,
  id: string,
  where: readonly (string | number)[],
  { path, record }: { path: string; record: string },
): Promise<void> {
  const { answer, events } = await ask(query, id)
  const entries = (await auditOf(clinic, answer)).filter(({ recordId }) => recordId === refOf(record).id)
  const audit = outcomesOf(entries)
  expect(answer.status).toBe(200)
  expect(at(answer.data, ...where)).toBeNull()
  const [error] = answer.errors.filter(({ path = [] }) => JSON.stringify(path) === JSON.stringify(where))
  expect(error?.extensions['code']).toBe('FIELD_UNAVAILABLE')
  expect(audit).toContain(`${path} UNAVAILABLE INTEGRITY`)
  expect(audit).not.toContain(`${path} DISCLOSED`)
  expect(events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE', record: refOf(record) }))
}

async function expectWhole(query: string, id: string): Promise<void> {
  const { answer, events } = await ask(query, id)
  expect(answer.errors).toEqual([])
  expect(answer.text).toContain('value-of-')
  expect(events.filter(({ event }) => event !== 'REQUEST')).toEqual([])
}

const ALLERGY = { path: 'AllergyIntolerance.criticality' }
const OBSERVATION = { path: 'Observation.category' }
const VISIT = { path: 'Encounter.class' }
const FAMILY = { path: 'Patient.familyName' }
const IN_ALLERGIES = ['patient', 'allergyIntolerances', 'edges', 0, 'node']
const IN_OBSERVATIONS = ['patient', 'observations', 'edges', 0, 'node']

describe('P6: an untouched chart', () => {
  it('opens by list, id and edge, after changes too, and operators get no event', async () => {
    const chart = await admit()
    for (const changes of [false, true]) {
      if (changes) await change(chart)
      await expectWhole(BY_LIST, chart.patient)
      for (const id of [chart.patient, chart.allergy, chart.visit, ...chart.observations]) await expectWhole(BY_ID, id)
      await expectWhole(BY_EDGE, chart.observations[0])
      await expectWhole(OWN, chart.patient)
    }
  })

  it("a record by its id costs one further batch, the patient's own record none; memberships and consents share one batch", async () => {
    const chart = await admit()
    await ask(OWN, chart.patient)
    expect((await workOf(clinic, () => ask(OWN, chart.patient))).requests).toMatchObject({ records: 1, access: 1 })
    expect((await workOf(clinic, () => ask(BY_ID, chart.allergy))).requests).toMatchObject({ records: 2, access: 1 })
  })

  it('P5: a record of an unrelated patient costs the same as a made-up one', async () => {
    const chart = await admit([])
    const made = { ...refOf(chart.allergy), id: randomBytes(16).toString('base64url') as RecordRef['id'] }
    await ask(BY_ID, chart.allergy)
    const works = []
    for (const id of [chart.allergy, encodeNodeId(made)]) {
      const { result, requests } = await workOf(clinic, () => ask(BY_ID, id))
      works.push({ requests, body: bytesOf(result.answer) })
    }
    expect(works[0]).toEqual(works[1])
    expect(works[0]?.body).toContain('NOT_FOUND')
  })
})

describe('P6: a write between two reads is no tampering', () => {
  it.each(['the allergy', 'the patient'] as const)('of %s, once: the answer has the current version', async (what) => {
    const chart = await admit()
    const id = what === 'the patient' ? chart.patient : chart.allergy
    const { records } = clinic.services
    const load = records.loadWithRoots.bind(records)
    const between = vi.spyOn(records, 'loadWithRoots').mockImplementationOnce(async (...args) => {
      const { records: read } = await load(...args)
      await change(chart, id)
      return { records: read, roots: (await load(...args)).roots }
    })
    const { answer, events } = await ask(BY_ID, id)
    expect(between).toHaveBeenCalledTimes(2)
    between.mockRestore()
    expect(answer.errors).toEqual([])
    expect(answer.text).toContain('value-of-now')
    expect(events.filter(({ event }) => event !== 'REQUEST')).toEqual([])
  })

  it('of a chunk, after the root was read', async () => {
    const chart = await admit()
    const { records } = clinic.services
    const chunks = records.chunksOf.bind(records)
    const between = vi.spyOn(records, 'chunksOf').mockImplementationOnce(async (...args) => {
      // the other observation has no labels, so another chunk lists it
      await change(chart, chart.observations[0])
      return await chunks(...args)
    })
    await expectWhole(BY_ID, chart.observations[0])
    expect(between.mock.calls.length).toBeGreaterThan(1)
    between.mockRestore()
  })

  it('of a list, after the list was read: the newer record is verified against the newer index', async () => {
    const chart = await admit()
    const { records } = clinic.services
    const load = records.loadWithRoots.bind(records)
    let calls = 0
    const between = vi.spyOn(records, 'loadWithRoots').mockImplementation(async (...args) => {
      if (++calls === 2) await change(chart, chart.allergy)
      return await load(...args)
    })
    const list = 'query ($id: ID!) { patient(id: $id) { allergyIntolerances { edges { node { criticality } } } } }'
    const { answer, events } = await ask(list, chart.patient)
    between.mockRestore()
    expect(at(nodesAt(answer.data, 'patient', 'allergyIntolerances')[0], 'criticality')).toBe('value-of-now')
    expect(events.filter(({ event }) => event !== 'REQUEST')).toEqual([])
  })

  it('of a patient for the first time, with records that were read before the access manifest', async () => {
    const chart = await admit()
    const { access } = clinic.services
    const early = vi.spyOn(access, 'load').mockImplementationOnce(() => Promise.resolve(new Map()))
    await expectWhole(OWN, chart.patient)
    expect(early).toHaveBeenCalledTimes(3)
    early.mockRestore()
  })

  it('of access items, by two writers at once: no writer loses the change of the other', async () => {
    const chart = await admit([])
    const { patient } = refOf(chart.patient)
    const users = Array.from({ length: 4 }, (_, number) => `Practitioner/p${number}`)
    const others = await Promise.all(users.map(() => openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)))
    const written = await Promise.allSettled(
      others.map(async (other, index) => {
        await other.write({ patient, records: [], memberships: [{ ...onTeam(patient), fhirUser: users[index] ?? '' }] })
      }),
    )
    for (const other of others) await other.close()
    for (const result of written) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(VersionConflict)
    const key = await clinic.services.keyring.purposeKey(RIVERSIDE, 'access')
    const root = await hand.read(accessManifest(chart.patient), 'ACCESS')
    const place = { tenant: RIVERSIDE, pk: root['pk']?.S ?? '', sk: root['sk']?.S ?? '' }
    const listed = openPatientAccess(key, place, root['v']?.B ?? new Uint8Array()).members ?? new Map<string, Json>()
    const there = (await hand.all(chart.patient, 'ACCESS')).flatMap(({ sk }) => (sk?.S === '#ROOT' ? [] : (sk?.S ?? '')))
    expect([...listed.keys()].toSorted()).toEqual(there.toSorted())
    expect(there).toHaveLength(written.filter(({ status }) => status === 'fulfilled').length)
    expect(there.length).toBeGreaterThan(0)
  })
})

describe('P6: the access manifest', () => {
  it('replaces only the manifest version that its writer read', async () => {
    const { patient } = refOf((await admit()).patient)
    const key = await clinic.services.keyring.purposeKey(RIVERSIDE, 'access')
    const change: MembershipChange = { kind: 'CARE_TEAM', patient, subject: 'somebody', content: { periods: [] } }
    const place = { table: clinic.services.access, key, tenant: RIVERSIDE, patient }
    const open = () => AccessWriter.open(place, false, [change])
    const [one, two] = [await open(), await open()]
    const commit = (writer: AccessWriter) =>
      clinic.stack.dynamodb.send(new TransactWriteItemsCommand({ TransactItems: writer.write([change], undefined).items }))
    await commit(one)
    await expect(commit(two)).rejects.toThrow(TransactionCanceledException)
  })
})

describe('P6: an added membership', () => {
  const forged = (chart: Chart, what: AccessFault) => ({
    event: 'ACCESS_ITEM_FORGED',
    tenant: RIVERSIDE,
    patient: refOf(chart.patient).patient,
    what,
  })
  const setPeriod = async (chart: Chart, period: Membership['periods'][number]): Promise<void> => {
    const { patient } = refOf(chart.patient)
    await store.write({ patient, records: [], memberships: [onTeam(patient, period)] })
  }
  const end = (chart: Chart) => setPeriod(chart, ENDED)
  const begin = (chart: Chart, period: Membership['periods'][number] = {}) => setPeriod(chart, period)
  const memberships = async (id: string): Promise<Item[]> =>
    (await hand.all(id, 'ACCESS')).filter(({ sk }) => sk?.S?.startsWith('CARE_TEAM#') === true)
  async function expectNothing(chart: Chart): Promise<void> {
    const { answer, audit } = await ask(OWN, chart.patient)
    expect(at(answer.data, 'patient', 'familyName')).toBeNull()
    expect(answer.errors).toMatchObject([{ path: ['patient', 'familyName'], extensions: { reason: 'RELATIONSHIP' } }])
    expect(audit).toEqual(['Patient.familyName DENIED RELATIONSHIP'])
    const byId = await ask(BY_ID, chart.allergy)
    expect(byId.answer.errors).toMatchObject([{ path: ['node'], extensions: { code: 'NOT_FOUND' } }])
    const panel = await clinic.ask('physician', '{ patients(first: 100) { edges { node { id } } } }')
    expect(nodesAt(panel.data, 'patients').map((node) => at(node, 'id'))).not.toContain(chart.patient)
  }

  it('P6: copied from another patient does not hold, by id and on the panel', async () => {
    const [chart, other] = [await admit([]), await admit()]
    for (const item of await memberships(other.patient)) {
      await hand.put({ ...item, pk: accessManifest(chart.patient)['pk'] ?? { S: '' } }, 'ACCESS')
    }
    await expectNothing(chart)
  })

  it('P6: copied from another user of the same patient does not hold', async () => {
    const [chart, other] = [await admit([]), await admit()]
    const { patient } = refOf(chart.patient)
    const nurse = { ...onTeam(patient), fhirUser: 'Practitioner/nurse' }
    await store.write({ patient, records: [], memberships: [nurse] })
    const [theirs, mine] = [first(await memberships(chart.patient)), first(await memberships(other.patient))]
    const place = { pk: theirs['pk'] ?? { S: '' }, sk: mine['sk'] ?? { S: '' }, user: mine['user'] ?? { S: '' } }
    await hand.put({ ...theirs, ...place }, 'ACCESS')
    await expectNothing(chart)
  })

  it('P6: made by hand does not hold', async () => {
    const [chart, other] = [await admit([]), await admit()]
    const mine = first(await memberships(other.patient))
    await hand.put({ ...mine, pk: accessManifest(chart.patient)['pk'] ?? { S: '' }, v: { B: randomBytes(81) } }, 'ACCESS')
    await expectNothing(chart)
  })

  it('P6: with the manifest of another patient is reported, and closes the patient', async () => {
    const [chart, other] = [await admit([]), await admit()]
    for (const item of await hand.all(other.patient, 'ACCESS')) {
      await hand.put({ ...item, pk: accessManifest(chart.patient)['pk'] ?? { S: '' } }, 'ACCESS')
    }
    await expectNoticed(OWN, chart.patient, ['patient'], { ...FAMILY, record: chart.patient })
    expect((await ask(OWN, chart.patient)).events).toContainEqual(forged(chart, 'MANIFEST_ALTERED'))
  })

  it('P6: an older manifest that was restored opens nothing, by id, by edge and on the panel', async () => {
    const gaps = async (): Promise<number> => {
      const panel = await clinic.ask('physician', '{ patients(first: 100) { edges { node { id } } } }')
      return nodesAt(panel.data, 'patients').filter((node) => node === null).length
    }
    const before = await gaps()
    const ended = await admit()
    const yesterday = await hand.read(accessManifest(ended.patient), 'ACCESS')
    await end(ended)
    await hand.put(yesterday, 'ACCESS')
    // back to a time without the membership: if the record is readable at all, this is no denial
    const denied = await admit([])
    const empty = await hand.read(accessManifest(denied.patient), 'ACCESS')
    await begin(denied)
    await begin(denied, { since: '2020-01-01T00:00:00.000Z' })
    await hand.put(empty, 'ACCESS')
    await expectNoticed(OWN, denied.patient, ['patient'], { ...FAMILY, record: denied.patient })
    await expectNoticed(OWN, ended.patient, ['patient'], { ...FAMILY, record: ended.patient })
    await expectNoticed(BY_ID, ended.allergy, ['node'], { ...ALLERGY, record: ended.allergy })
    await expectNoticed(BY_EDGE, ended.observations[0], ['node'], {
      path: 'Observation.id',
      record: ended.observations[0],
    })
    for (const chart of [ended, denied]) expect((await ask(OWN, chart.patient)).events).toContainEqual(forged(chart, 'ALTERED'))
    // a gap, never a shorter panel
    expect(await gaps()).toBe(before + 1)
    const panel = await ask('{ patients(first: 100) { edges { node { familyName } } } }', ended.patient)
    expect(panel.events).toContainEqual(forged(ended, 'ALTERED'))
  })

  it('P6: without its entry in the index by user, a membership holds by id', async () => {
    const chart = await admit()
    for (const entry of await memberships(chart.patient)) await hand.remove(entry, 'ACCESS')
    await expectWhole(OWN, chart.patient)
  })

  it('P6: an end between the reads of manifest and records is no tampering, and opens nothing', async () => {
    const chart = await admit()
    const { records } = clinic.services
    const load = records.loadWithRoots.bind(records)
    const between = vi.spyOn(records, 'loadWithRoots').mockImplementationOnce(async (...args) => {
      await end(chart)
      return await load(...args)
    })
    const { answer, events } = await ask(OWN, chart.patient)
    between.mockRestore()
    expect(answer.errors).toMatchObject([{ path: ['patient', 'familyName'], extensions: { reason: 'RELATIONSHIP' } }])
    expect(events.filter(({ event }) => event !== 'REQUEST')).toEqual([])
  })

  it('P6: a missing manifest closes the patient for every query, and is an integrity failure, not NOT_FOUND', async () => {
    const chart = await admit()
    await hand.remove(accessManifest(chart.patient), 'ACCESS')
    await expectNoticed(OWN, chart.patient, ['patient'], { ...FAMILY, record: chart.patient })
    await expectNoticed(BY_ID, chart.allergy, ['node'], { ...ALLERGY, record: chart.allergy })
    expect((await ask(OWN, chart.patient)).events).toContainEqual(forged(chart, 'MANIFEST_MISSING'))
    // an import creates no second manifest either
    const { patient } = refOf(chart.patient)
    await expect(store.write({ patient, records: [], memberships: [onTeam(patient, ENDED)] })).rejects.toThrow(IntegrityFailure)
  })
})

describe('P6: labels of a record', () => {
  const labelsOf = async (id: string): Promise<RecordMetadata['labels']> => {
    const ref = refOf(id)
    const keys = (await clinic.services.keyring.patientKeys(RIVERSIDE, [ref.patient], 'always')).get(ref.patient)
    const manifest = (await hand.read(recordItem(id)))['m']?.B
    if (keys === undefined || manifest === undefined) throw new Error('no record')
    return SealedRecord.open(keys, { tenant: RIVERSIDE, ...ref }, manifest, { fields: 0, metadata: 0 }).metadata.labels
  }

  it('P6: a label that is changed, dropped or copied from elsewhere closes the record, which never counts as unlabeled', async () => {
    const [chart, other] = [await admit(), await admit()]
    const [labelled, plain] = chart.observations
    expect(await labelsOf(labelled)).toEqual(LABELS)
    expect(await labelsOf(plain)).toBeUndefined()
    const genuine = await hand.read(recordItem(labelled))
    const m = genuine['m']?.B ?? Buffer.alloc(0)
    const without = (item: Item, name: string): Item => Object.fromEntries(Object.entries(item).filter(([key]) => key !== name))
    const manifestOf = async (id: string): Promise<Item> => ({ m: (await hand.read(recordItem(id)))['m'] ?? { NULL: true } })
    // the sealed metadata begin after format, two versions and their length, in the middle of the manifest
    const cases: readonly (readonly [string, Item])[] = [
      ...[0, 1, 5, 9, 13, 30, 60, m.length - 1].map((place): [string, Item] => [
        `bit at ${place}`,
        { ...genuine, m: flipped(genuine['m'], place) },
      ]),
      ['of a record without labels', { ...genuine, ...(await manifestOf(plain)) }],
      ['of the same record of another patient', { ...genuine, ...(await manifestOf(other.observations[0])) }],
      ['metadata cut out', { ...genuine, m: { B: Buffer.concat([m.subarray(0, 9), Buffer.alloc(4), m.subarray(-40)]) } }],
      ['manifest dropped', without(genuine, 'm')],
    ]
    for (const [what, item] of cases) {
      await hand.put(item)
      await expectNoticed(BY_ID, labelled, ['node'], { ...OBSERVATION, record: labelled })
      await expectNoticed(BY_LIST, chart.patient, IN_OBSERVATIONS, { ...OBSERVATION, record: labelled })
      await expect(labelsOf(labelled), what).rejects.toThrow()
    }
    await hand.put(genuine)
    await expectWhole(BY_ID, labelled)
    // An import dropped the labels, and the older version is restored: the manifest alone, then the whole record.
    await change(chart, labelled)
    const now = await hand.read(recordItem(labelled))
    await hand.put({ ...now, m: genuine['m'] ?? { NULL: true } })
    await expectNoticed(BY_ID, labelled, ['node'], { ...OBSERVATION, record: labelled })
    await hand.put(genuine)
    await expectNoticed(BY_ID, labelled, ['node'], { ...OBSERVATION, record: labelled })
  })
})

describe('P6: a removed allergy', () => {
  it('P6: is noticed by list and by id, and never yields an empty list', async () => {
    const chart = await admit()
    await hand.remove(recordItem(chart.allergy))
    await expectNoticed(BY_LIST, chart.patient, IN_ALLERGIES, { ...ALLERGY, record: chart.allergy })
    await expectNoticed(BY_ID, chart.allergy, ['node'], { ...ALLERGY, record: chart.allergy })
  })

  it('P6: is noticed if its chunk was removed or restored to an older version too, by list and by id', async () => {
    for (const how of ['removed', 'put back'] as const) {
      const patient = store.idFor('Patient', randomBytes(6).toString('hex')) as string as PatientId
      const records = chartRecords(patient, BEFORE)
      const earlier = record('AllergyIntolerance', patient, 'earlier', 'criticality', BEFORE, { date: DATE })
      await store.write({ patient, records: [...records.slice(0, 1), earlier], memberships: [onTeam(patient)] })
      const id = encodeNodeId({ type: 'Patient' as TypeName, patient, id: patient as string as RecordRef['id'] })
      const before = (await hand.all(id)).filter(({ sk }) => sk?.S?.startsWith('#INDEX#') === true)
      await store.write({ patient, records, memberships: [] })
      const allergy = encodeNodeId(records[1]?.ref ?? earlier.ref)
      await hand.remove(recordItem(allergy))
      for (const chunk of before) await (how === 'removed' ? hand.remove(chunk) : hand.put(chunk))
      const { answer, audit } = await ask(
        'query ($id: ID!) { patient(id: $id) { allergyIntolerances { edges { node { criticality } } } } }',
        id,
      )
      expect(at(answer.data, 'patient')).toEqual({ allergyIntolerances: null })
      expect(audit).toEqual(['Patient.allergyIntolerances UNAVAILABLE INTEGRITY'])
      await expectNoticed(BY_ID, allergy, ['node'], { ...ALLERGY, record: allergy })
    }
  })

  it('P6: is not repaired by the next import', async () => {
    const chart = await admit()
    await hand.remove(recordItem(chart.allergy))
    await expect(change(chart)).rejects.toThrow(IntegrityFailure)
    await hand.remove(indexRoot(chart.patient))
    await expect(change(chart, chart.visit)).rejects.toThrow(IntegrityFailure)
  })

  it('P6: a removed visit is noticed by edge and by id, a removed patient record by id and by edge', async () => {
    const chart = await admit()
    await hand.remove(recordItem(chart.visit))
    await expectNoticed(BY_EDGE, chart.observations[0], ['node', 'encounter'], { ...VISIT, record: chart.visit })
    await expectNoticed(BY_LIST, chart.patient, [...IN_OBSERVATIONS, 'encounter'], { ...VISIT, record: chart.visit })
    await expectNoticed(BY_ID, chart.visit, ['node'], { ...VISIT, record: chart.visit })
    await hand.remove(recordItem(chart.patient))
    await expectNoticed(OWN, chart.patient, ['patient'], { ...FAMILY, record: chart.patient })
    await expectNoticed(BY_EDGE, chart.observations[0], ['node', 'patient'], { ...FAMILY, record: chart.patient })
  })

  it('P6: an inserted record that no index lists is noticed', async () => {
    const chart = await admit()
    const before = await hand.read(indexRoot(chart.patient))
    const chunks = (await hand.all(chart.patient)).filter(({ sk }) => sk?.S?.startsWith('#INDEX#') === true)
    const { patient } = refOf(chart.patient)
    const made = record('AllergyIntolerance', patient, 'later', 'criticality', BEFORE, { date: DATE })
    await store.write({ patient, records: [made], memberships: [] })
    // the record was taken back with its place in the index, and then inserted again
    for (const item of [before, ...chunks]) await hand.put(item)
    await expectNoticed(BY_ID, encodeNodeId(made.ref), ['node'], { ...ALLERGY, record: encodeNodeId(made.ref) })
  })
})

describe('P6: swapped items of two records', () => {
  it('P6: as a whole, within a patient and between two, are noticed by list, id and edge', async () => {
    const [chart, other] = [await admit(), await admit()]
    const [one, two] = chart.observations
    await hand.swap(recordItem(one), recordItem(two))
    await expectNoticed(BY_LIST, chart.patient, IN_OBSERVATIONS, { ...OBSERVATION, record: one })
    for (const id of [one, two]) await expectNoticed(BY_ID, id, ['node'], { ...OBSERVATION, record: id })
    await hand.swap(recordItem(one), recordItem(two))
    await expectWhole(BY_LIST, chart.patient)
    await hand.swap(recordItem(chart.visit), recordItem(other.visit))
    await expectNoticed(BY_EDGE, one, ['node', 'encounter'], { ...VISIT, record: chart.visit })
    await hand.swap(recordItem(chart.patient), recordItem(other.patient))
    for (const id of [chart.patient, other.patient]) await expectNoticed(OWN, id, ['patient'], { ...FAMILY, record: id })
  })

  it('P6: by single attributes, are noticed at the value', async () => {
    const [chart, other] = [await admit(), await admit()]
    const pairs = [
      [chart.observations[0], chart.observations[1], 'f:category', 'category', OBSERVATION],
      [chart.allergy, other.allergy, 'f:criticality', 'criticality', ALLERGY],
    ] as const
    for (const [one, two, name, field, path] of pairs) {
      const [mine, theirs] = [await hand.read(recordItem(one)), await hand.read(recordItem(two))]
      await hand.put({ ...mine, [name]: theirs[name] ?? { NULL: true } })
      await hand.put({ ...theirs, [name]: mine[name] ?? { NULL: true } })
      for (const id of [one, two]) await expectNoticed(BY_ID, id, ['node', field], { ...path, record: id })
    }
    await expectNoticed(BY_LIST, chart.patient, [...IN_OBSERVATIONS, 'category'], { ...OBSERVATION, record: chart.observations[0] })
  })

  it('P6: swapped index roots and access manifests of two patients are noticed', async () => {
    const [one, two] = [await admit(), await admit()]
    await hand.swap(indexRoot(one.patient), indexRoot(two.patient))
    await expectNoticed(OWN, one.patient, ['patient'], { ...FAMILY, record: one.patient })
    await expectNoticed(BY_ID, two.visit, ['node'], { ...VISIT, record: two.visit })
    const [three, four] = [await admit(), await admit()]
    await hand.swap(accessManifest(three.patient), accessManifest(four.patient), 'ACCESS')
    for (const { patient } of [three, four]) await expectNoticed(OWN, patient, ['patient'], { ...FAMILY, record: patient })
  })
})

describe('P6: an older item that was restored', () => {
  it('P6: is noticed for a record by list, by id and by edge', async () => {
    const chart = await admit()
    const yesterday = await Promise.all(
      [chart.allergy, chart.visit, chart.patient].map(async (id) => await hand.read(recordItem(id))),
    )
    await change(chart)
    for (const item of yesterday) await hand.put(item)
    await expectNoticed(BY_ID, chart.allergy, ['node'], { ...ALLERGY, record: chart.allergy })
    await expectNoticed(BY_ID, chart.visit, ['node'], { ...VISIT, record: chart.visit })
    await expectNoticed(BY_EDGE, chart.observations[0], ['node', 'encounter'], { ...VISIT, record: chart.visit })
    await expectNoticed(BY_EDGE, chart.observations[0], ['node', 'patient'], { ...FAMILY, record: chart.patient })
    await expectNoticed(OWN, chart.patient, ['patient'], { ...FAMILY, record: chart.patient })
    await hand.put({ ...(yesterday[2] ?? {}) })
    const panel = await ask('{ patients(first: 100) { edges { node { familyName } } } }', chart.patient)
    expect(panel.audit).toContain('Patient.familyName UNAVAILABLE INTEGRITY')
    expect(panel.events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE', record: refOf(chart.patient) }))
  })

  it('P6: is noticed for a record of a list', async () => {
    const chart = await admit()
    const yesterday = await hand.read(recordItem(chart.allergy))
    await change(chart, chart.allergy)
    await hand.put(yesterday)
    await expectNoticed(BY_LIST, chart.patient, IN_ALLERGIES, { ...ALLERGY, record: chart.allergy })
  })

  it('P6: is noticed for an index root, a chunk, or both over newer records, by list and by id', async () => {
    const chart = await admit()
    const isIndex = ({ sk }: Item): boolean => sk?.S?.startsWith('#INDEX') === true
    const yesterday = (await hand.all(chart.patient)).filter(isIndex)
    await change(chart, chart.allergy)
    const today = (await hand.all(chart.patient)).filter(isIndex)
    const isRoot = ({ sk }: Item): boolean => sk?.S === '#INDEX'
    const attacks = [yesterday.filter(isRoot), yesterday.filter((item) => !isRoot(item)), yesterday]
    for (const [number, attack] of attacks.entries()) {
      for (const item of [...today, ...attack]) await hand.put(item)
      await expectNoticed(BY_ID, chart.allergy, ['node'], { ...ALLERGY, record: chart.allergy })
      const list = 'query ($id: ID!) { patient(id: $id) { allergyIntolerances { edges { node { criticality } } } } }'
      const { answer, audit, events } = await ask(list, chart.patient)
      // the list fails if root and chunk disagree; the record fails if both are old
      const where = number === 2 ? IN_ALLERGIES : ['patient', 'allergyIntolerances']
      expect(at(answer.data, ...where)).toBeNull()
      expect(answer.errors).toMatchObject([{ path: where, extensions: { code: 'FIELD_UNAVAILABLE' } }])
      expect(audit.join()).toContain('UNAVAILABLE INTEGRITY')
      expect(events).toContainEqual(expect.objectContaining({ event: 'INTEGRITY_FAILURE' }))
    }
    for (const item of today) await hand.put(item)
    await expectWhole(BY_LIST, chart.patient)
    // for the patient's own record, only the root names the version
    await change(chart, chart.patient)
    for (const item of today) await hand.put(item)
    await expectNoticed(OWN, chart.patient, ['patient'], { ...FAMILY, record: chart.patient })
  })
})
