import { type AttributeValue, BatchWriteItemCommand, type DynamoDBClient, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { randomBytes } from 'node:crypto'
import { type LoadedKeys } from '../../gateway/crypto/key-table.ts'
import { sealPatientAccess } from '../../gateway/crypto/patient-access.ts'
import { Keyring } from '../../gateway/crypto/keyring.ts'
import { chunkDigest, sealChunk, sealRoot } from '../../gateway/crypto/sealed-index.ts'
import { sealRecord } from '../../gateway/crypto/sealed-record.ts'
import type { PurposeKey } from '../../gateway/crypto/tenant-keys.ts'
import type { Services } from '../../gateway/compose.ts'
import { accessManifestKey } from '../../gateway/store/access.ts'
import { PatientIndex } from '../../gateway/store/patient-index.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { NodeId, PatientId, RecordId, TenantId } from '../../gateway/model/ids.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'
import type { Json } from '../../gateway/model/record.ts'

const PATIENT = 'Patient' as TypeName
const VALUES: ReadonlyMap<SchemaPath, Json> = new Map<SchemaPath, Json>([
  ['Patient.familyName' as SchemaPath, 'Nguyen'],
  ['Patient.birthDate' as SchemaPath, '1970-01-01'],
  ['Patient.gender' as SchemaPath, 'female'],
])
/** The number of patients that are sealed before a write, and the number of concurrent workers. */
const AT_A_TIME = 50
const PLACES = 6
/** The limit of DynamoDB for one BatchWriteItem. */
const BATCH = 25
const ROUNDS = 10

type Table = Pick<Services, 'access' | 'keys' | 'keyring' | 'kms' | 'kmsKeysFor' | 'now' | 'records'>

/**
 * Writes many patients of a tenant, each with one record of three values, in the form that an import leaves. It writes without
 * audit and transactions, as fast as the engine allows.
 *
 * @returns their ids
 */
export async function fillWithPatients(
  client: DynamoDBClient,
  services: Table,
  tenant: TenantId,
  count: number,
): Promise<readonly NodeId[]> {
  const { keys, kms, kmsKeysFor, now } = services
  await services.keyring.createTenant(tenant)
  // a new key reads the tenant's item each time, and no other process writes it here
  const known = await keys.load(tenant, { tenantItem: true, patients: [] })
  const table = { load: (): Promise<LoadedKeys> => Promise.resolve(known), createTenant: keys.createTenant.bind(keys) }
  const keyring = new Keyring({ kms, table, now, kmsKeysFor })
  const access = await keyring.purposeKey(tenant, 'access')
  const ids: NodeId[] = []
  const place = async (): Promise<void> => {
    while (ids.length < count) {
      const patients = Array.from({ length: Math.min(AT_A_TIME, count - ids.length) }, newPatient)
      ids.push(...patients.map((patient) => encodeNodeId({ type: PATIENT, patient, id: ownRecord(patient) })))
      const items = await Promise.all(patients.map((patient) => sealed(services, keyring, access, tenant, patient)))
      await write(client, items.flat())
    }
  }
  await Promise.all(Array.from({ length: PLACES }, place))
  return ids
}

const newPatient = (): PatientId => randomBytes(16).toString('base64url') as PatientId
const ownRecord = (patient: PatientId): RecordId => patient as string as RecordId

async function sealed(
  { records, access: accessTable, keys: keyTable }: Table,
  keyring: Keyring,
  access: PurposeKey<'access'>,
  tenant: TenantId,
  patient: PatientId,
): Promise<TransactWriteItem[]> {
  const { item, handle } = await keyring.newPatientKey(tenant, patient)
  const ref = { type: PATIENT, patient, id: ownRecord(patient) }
  const record = sealRecord(handle, { tenant, ...ref }, 1, { values: VALUES, metadata: { open: {}, references: {} } })
  const index = new PatientIndex(undefined, new Map())
  index.put(PATIENT, { id: ref.id, version: 1, date: '', codes: [], categories: [], labels: [] })
  const chunks = index
    .changes()
    .map(({ number, entries }) => ({ number, chunk: sealChunk(handle, { tenant, patient }, number, entries) }))
  const digests = new Map(chunks.map(({ number, chunk }) => [number, chunkDigest(chunk)]))
  const content = { version: 1, own: 1, consents: [], members: new Map<string, Json>() }
  const accessManifest = sealPatientAccess(access, { tenant, ...accessManifestKey(tenant, patient) }, content)
  const own = { type: PATIENT, version: 1 }
  const root = sealRoot(handle, { tenant, patient }, { ...index.root(digests, 1), own, access: content.version })
  return [
    keyTable.put(tenant, patient, item),
    ...records
      .put(tenant, { ref, ...record })
      .map((write, at) => (at === 0 ? records.withManifest(write, content.version) : write)),
    records.putIndexRoot(tenant, patient, root, undefined),
    ...chunks.map(({ number, chunk }) => records.putIndexChunk(tenant, patient, number, chunk)),
    accessTable.putManifest(tenant, patient, accessManifest, undefined),
  ]
}

/** Writes the items without their conditions. */
async function write(client: DynamoDBClient, writes: readonly TransactWriteItem[]): Promise<void> {
  for (let start = 0; start < writes.length; start += BATCH) {
    let wanted: Record<string, { PutRequest: { Item: Record<string, AttributeValue> } }[]> = {}
    for (const { Put } of writes.slice(start, start + BATCH)) {
      const { TableName = '', Item = {} } = Put ?? {}
      wanted[TableName] = [...(wanted[TableName] ?? []), { PutRequest: { Item } }]
    }
    for (let round = 0; Object.keys(wanted).length > 0; round++) {
      if (round === ROUNDS) throw new Error('The engine does not accept the writes.')
      const { UnprocessedItems } = await client.send(new BatchWriteItemCommand({ RequestItems: wanted }))
      wanted = (UnprocessedItems ?? {}) as typeof wanted
    }
  }
}
