import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  ScanCommand,
  type ScanCommandInput,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb'
import type { KeyChanges } from '../crypto/key-changes.ts'
import type {
  KeyTable,
  KeyUse,
  LoadedKeys,
  PatientKeyItem,
  TenantKeyItem,
  WantedKeys,
  WrappedPatientKey,
} from '../crypto/key-table.ts'
import { StoreUnavailable } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { batchGet, type Item, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

const KEY = 'KEY'

/** The table of wrapped keys: one item for a tenant and one for each patient, with all versions. No key opens without KMS. */
export class DynamoKeyTable implements KeyTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  async load(tenant: TenantId, { tenantItem, patients }: WantedKeys): Promise<LoadedKeys> {
    const keys = patients.map((patient) => ({ pk: `${tenant}#${patient}`, sk: KEY }))
    if (tenantItem) keys.push({ pk: tenant, sk: KEY })
    if (keys.length === 0) return { patients: new Map() }
    const items = new Map(
      (await batchGet(this.#client, this.counter, this.#table, keys)).map((item) => [item['pk']?.S ?? '', item]),
    )
    const own = items.get(tenant)
    items.delete(tenant)
    return {
      ...(own !== undefined && { tenant: readTenant(own) }),
      patients: new Map([...items].map(([pk, item]) => [pk.slice(tenant.length + 1) as PatientId, readPatient(item)])),
    }
  }

  async createTenant(tenant: TenantId, { versions, uses }: TenantKeyItem): Promise<'created' | 'exists'> {
    const item: Item = { ...tenantKey(tenant), versions: tenantVersions(versions), uses: purposeKeyAttributes(uses) }
    try {
      this.counter.requests++
      await this.#client.send(
        new PutItemCommand({ TableName: this.#table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' }),
      )
      return 'created'
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) return 'exists'
      throw new StoreUnavailable({ cause })
    }
  }

  /** Returns the write of a new patient's item. It fails if the patient has one. */
  put(tenant: TenantId, patient: PatientId, { versions }: PatientKeyItem): TransactWriteItem {
    const item: Item = { ...patientKey(tenant, patient), versions: patientVersions(versions) }
    return { Put: { TableName: this.#table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } }
  }

  /** Returns the write of a tombstone over all versions of a patient's keys. It fails if the stored keys are not `before`. */
  destroy(tenant: TenantId, patient: PatientId, before: PatientKeyItem, tombstone: Uint8Array): TransactWriteItem {
    return {
      Update: {
        TableName: this.#table,
        Key: patientKey(tenant, patient),
        ConditionExpression: 'versions = :before AND attribute_not_exists(tombstone)',
        UpdateExpression: 'SET tombstone = :tombstone REMOVE versions',
        ExpressionAttributeValues: { ':before': patientVersions(before.versions), ':tombstone': { B: tombstone } },
      },
    }
  }

  /** Returns the writes of changed items. They fail together if a stored item is not the `before` of its change. */
  change(tenant: TenantId, { tenant: own, patients }: KeyChanges): TransactWriteItem[] {
    const changes = patients.map(
      ({ patient, before, after }): TransactWriteItem => ({
        Update: {
          TableName: this.#table,
          Key: patientKey(tenant, patient),
          ConditionExpression: 'versions = :before',
          UpdateExpression: 'SET versions = :after',
          ExpressionAttributeValues: { ':before': patientVersions(before.versions), ':after': patientVersions(after.versions) },
        },
      }),
    )
    if (own === undefined) return changes
    const { before, after } = own
    changes.push({
      Update: {
        TableName: this.#table,
        Key: tenantKey(tenant),
        ConditionExpression: 'versions = :versionsBefore AND #uses = :usesBefore',
        UpdateExpression: 'SET versions = :versions, #uses = :uses',
        ExpressionAttributeNames: { '#uses': 'uses' },
        ExpressionAttributeValues: {
          ':versionsBefore': tenantVersions(before.versions),
          ':usesBefore': purposeKeyAttributes(before.uses),
          ':versions': tenantVersions(after.versions),
          ':uses': purposeKeyAttributes(after.uses),
        },
      },
    })
    return changes
  }

  /**
   * Returns the tenants with keys. It scans the keys of all tenants, as `pages` does.
   *
   * @throws StoreUnavailable
   */
  async tenants(): Promise<readonly string[]> {
    const tenants: string[] = []
    const wanted = { FilterExpression: 'sk = :key AND NOT contains(pk, :mark)', ProjectionExpression: 'pk' }
    const values = { ':key': { S: KEY }, ':mark': { S: '#' } }
    for await (const items of this.#scan({ ...wanted, ExpressionAttributeValues: values }))
      tenants.push(...items.map(({ pk }) => pk?.S ?? ''))
    return tenants
  }

  /**
   * Yields the key items of all patients of a tenant, a page at a time, read consistently. It scans the keys of all tenants, so it is
   * only for the administration of keys.
   *
   * @throws StoreUnavailable
   */
  async *pages(tenant: TenantId): AsyncGenerator<ReadonlyMap<PatientId, PatientKeyItem>> {
    const wanted = { FilterExpression: 'begins_with(pk, :tenant) AND sk = :key' }
    const values = { ':tenant': { S: `${tenant}#` }, ':key': { S: KEY } }
    for await (const items of this.#scan({ ...wanted, ExpressionAttributeValues: values }))
      yield new Map(items.map((item) => [(item['pk']?.S ?? '').slice(tenant.length + 1) as PatientId, readPatient(item)]))
  }

  /** Yields the pages of a scan, read consistently. */
  async *#scan(wanted: Omit<ScanCommandInput, 'TableName'>): AsyncGenerator<readonly Item[]> {
    let next: Item | undefined
    do {
      this.counter.requests++
      const input = { ...wanted, TableName: this.#table, ConsistentRead: true, ...(next && { ExclusiveStartKey: next }) }
      const page = await unavailableOnFailure(this.#client.send(new ScanCommand(input)))
      yield page.Items ?? []
      next = page.LastEvaluatedKey
    } while (next !== undefined)
  }
}

const tenantKey = (tenant: TenantId): Item => ({ pk: { S: tenant }, sk: { S: KEY } })
const patientKey = (tenant: TenantId, patient: PatientId): Item => ({ pk: { S: `${tenant}#${patient}` }, sk: { S: KEY } })

const tenantVersions = (versions: TenantKeyItem['versions']): AttributeValue => ({
  L: versions.map(({ version, wrapped, kmsKey, created }) => ({
    M: {
      version: number(version),
      wrapped: { B: wrapped },
      kmsKey: { S: kmsKey },
      ...(created !== undefined && { created: number(created) }),
    },
  })),
})

const purposeKeyAttributes = (uses: TenantKeyItem['uses']): AttributeValue => ({
  L: uses.map(({ use, ...key }) => ({ M: { use: { S: use }, ...wrappedKey(key) } })),
})

const patientVersions = (versions: PatientKeyItem['versions']): AttributeValue => ({
  L: versions.map((key) => ({ M: wrappedKey(key) })),
})

/** A first version has no `sealsFrom` attribute. An item that was read is therefore written back unchanged. */
const wrappedKey = ({ version, tenantKeyVersion, wrapped, sealsFrom }: WrappedPatientKey): Item => ({
  version: number(version),
  tenantKeyVersion: number(tenantKeyVersion),
  wrapped: { B: wrapped },
  ...(sealsFrom !== 0 && { sealsFrom: number(sealsFrom) }),
})

const number = (value: number): AttributeValue => ({ N: String(value) })

function readTenant(item: Item): TenantKeyItem {
  return {
    versions: list(item['versions']).map((entry) => ({
      version: integer(entry['version']),
      wrapped: bytes(entry['wrapped']),
      kmsKey: entry['kmsKey']?.S ?? '',
      ...(entry['created'] !== undefined && { created: integer(entry['created']) }),
    })),
    uses: list(item['uses']).map((entry) => ({
      use: (entry['use']?.S ?? '') as KeyUse,
      ...readWrapped(entry),
    })),
  }
}

function readPatient(item: Item): PatientKeyItem {
  const { tombstone } = item
  const versions = list(item['versions']).map(readWrapped)
  return tombstone === undefined ? { versions } : { versions, tombstone: bytes(tombstone) }
}

function readWrapped(entry: Item): WrappedPatientKey {
  return {
    version: integer(entry['version']),
    tenantKeyVersion: integer(entry['tenantKeyVersion']),
    wrapped: bytes(entry['wrapped']),
    sealsFrom: integer(entry['sealsFrom']),
  }
}

// no key of a malformed item unwraps, so the reader needs no validation

const list = (value: AttributeValue | undefined): Item[] => (value?.L ?? []).map((entry) => entry.M ?? {})
const integer = (value: AttributeValue | undefined): number => Number(value?.N ?? 0)
/** Copies the bytes. The SDK decodes into parts of larger buffers, and a cached key would keep the whole buffer in memory. */
const bytes = (value: AttributeValue | undefined): Uint8Array => new Uint8Array(value?.B ?? [])
