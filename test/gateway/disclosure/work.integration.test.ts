import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { openStore } from '../../../gateway/admin/open-store.ts'
import type { PatientId, RecordId } from '../../../gateway/model/ids.ts'
import { decodeNodeId, encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { type CountedProcess, countedProcess, type CountedRequest, type CountedWork } from '../../harness/counted-requests.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { first, madeUpId, nodesAt, patientsOf, RIVERSIDE } from '../asking.ts'

const ON_PANEL = 101
const AT_ONCE = 10
const VALUES: ReadonlyMap<SchemaPath, Json> = new Map(
  Object.entries({
    familyName: 'Nguyen',
    givenName: ['Linh'],
    birthDate: '1970-01-01',
    gender: 'female',
    mrn: 'MRN-1',
    phone: '555 0100',
    email: 'linh@example.org',
    language: 'vi',
  }).map(([field, value]) => [`Patient.${field}` as SchemaPath, value]),
)
const FIELDS = 'familyName givenName birthDate gender mrn phone email language'
const PANEL = `{ patients(first: 100) { edges { node { ${FIELDS} } } } }`
const OWN = 'query ($id: ID!) { patient(id: $id) { familyName givenName birthDate gender mrn } }'
const CHART = 'query ($id: ID!) { patient(id: $id) { familyName observations(first: 5) { edges { node { category } } } } }'
const patientOf = (nodeId: string): string => decodeNodeId(nodeId)?.patient ?? ''

let clinic: RunningClinic
let counted: CountedProcess
let id: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  const store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  const admit = async (): Promise<void> => {
    const patient = randomBytes(16).toString('base64url') as PatientId
    const ref = { type: 'Patient' as TypeName, patient, id: patient as string as RecordId }
    id = encodeNodeId(ref)
    await store.write({
      patient,
      records: [{ ref, values: VALUES, metadata: { open: {}, references: {} } }],
      memberships: [{ patient, relationship: 'CARE_TEAM', fhirUser: 'Practitioner/physician', periods: [{}] }],
    })
  }
  for (let admitted = 1; admitted < ON_PANEL; admitted += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, ON_PANEL - admitted) }, admit))
  }
  await store.close()
  counted = await countedProcess(clinic)
  // sessions and keys are warm from here on
  await counted.ask('physician', PANEL)
})
afterAll(async () => {
  await counted.stop()
  await clinic.stop()
})

/** The reads of an answer, one text for each round trip: requests and keys by table. Other tests cover the budget and the audit. */
const readsOf = ({ waves }: CountedWork): string[] =>
  waves.flatMap((wave) => {
    const reads = wave.filter(({ table }) => table !== 'budgets' && table !== 'audit')
    const byKind = Map.groupBy(reads, ({ operation, table }) => `${operation} ${table}`)
    const texts = [...byKind].map(([kind, all]) => `${all.length} ${kind}, ${keysOf(all)} keys`)
    return texts.length === 0 ? [] : [texts.toSorted().join('; ')]
  })
const keysOf = (requests: readonly CountedRequest[]): number => requests.reduce((sum, { keys }) => sum + keys, 0)
const names = ({ waves }: CountedWork): string[] =>
  waves.flat().flatMap(({ table, named }) => (table === 'records' || table === 'access' ? named : []))

describe('the reads of an answer, with warm keys and session', () => {
  it('a page of 100 patients and 8 fields: the list, and then 201 keys in one round trip', async () => {
    const work = await counted.ask('physician', PANEL)
    expect(nodesAt(work.answer.data, 'patients')).toHaveLength(100)
    expect(work.answer.phi.resolved).toBe(800)
    expect(readsOf(work)).toEqual([
      '1 Query access, 0 keys',
      // one patient more than the page, to find out whether another page exists
      '1 BatchGetItem records, 100 keys; 2 BatchGetItem access, 101 keys',
    ])
    // 800 values, the metadata of 100 records, 101 access manifests
    expect(work.openings).toBe(1_001)
  })

  it('a page of 100 patients and 4 fields: three round trips, and the claim of values is in the second', async () => {
    const query = '{ patients(first: 100) { edges { node { familyName givenName birthDate gender } } } }'
    // the first answer leaves too few values in the lease for the second
    const works = [await counted.ask('physician', query), await counted.ask('physician', query)]
    for (const { waves } of works) {
      expect(waves).toHaveLength(3)
      const tables = waves.map((wave) => new Set(wave.map(({ table }) => table)))
      expect(tables[0]).toEqual(new Set(['access']))
      expect(tables[2]).toEqual(new Set(['audit']))
    }
    expect(works.some(({ waves }) => waves[1]?.some(({ table }) => table === 'budgets'))).toBe(true)
  })

  it('one patient and 5 fields: one round trip', async () => {
    const work = await counted.ask('physician', OWN, { id })
    expect(work.answer.phi.resolved).toBe(5)
    expect(readsOf(work)).toEqual(['1 BatchGetItem access, 1 keys; 1 BatchGetItem records, 2 keys'])
    // 5 values, metadata, index root, access manifest
    expect(work.openings).toBe(8)
  })

  it('a chart: the access manifest is read and opened once', async () => {
    const own = first(await patientsOf(clinic, 'patient'))
    const work = await counted.ask('physician', CHART, { id: own })
    expect(nodesAt(work.answer.data, 'patient', 'observations').length).toBeGreaterThan(1)
    expect(names(work).filter((name) => name === '#ROOT')).toHaveLength(1)
  })

  it("P5: a patient's own request reads relationships first; an unrelated and a made-up id get the same reads, and no index", async () => {
    const own = first(await patientsOf(clinic, 'patient'))
    await counted.ask('patient', OWN, { id: own })
    const work = await counted.ask('patient', OWN, { id: own })
    expect(work.answer.phi.resolved).toBeGreaterThan(0)
    const reads = ['1 BatchGetItem access, 1 keys', '1 BatchGetItem keys, 1 keys; 1 BatchGetItem records, 2 keys']
    expect(readsOf(work)).toEqual(reads)
    const [stranger, madeUp] = [await counted.ask('patient', OWN, { id }), await counted.ask('patient', OWN, { id: madeUpId() })]
    for (const nobody of [stranger, madeUp]) expect(readsOf(nobody)).toEqual(reads)
    // the reads of the unrelated patient return no item
    expect(names(stranger).join(' ')).not.toContain(`Patient#${patientOf(id)}`)
    // the access manifest of the unrelated patient, or its decoy, and a decoy of the record
    expect([stranger.openings, madeUp.openings]).toEqual([2, 2])
  })
})
