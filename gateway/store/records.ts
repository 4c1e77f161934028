import { type DynamoDBClient, QueryCommand, type QueryCommandInput, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Deadline } from '../model/deadline.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
import { batchGet, type Item, project, type RequestCounter, unavailableOnFailure } from './batch-get.ts'
import {
  ACCESS,
  attributesFor,
  bytes,
  INDEX,
  indexKey,
  MANIFEST,
  patientOf,
  recordItemKey,
  type StoredRecord,
  text,
  toItem,
  toStored,
} from './record-items.ts'

/** Sealed records, and the sealed index roots that they are compared with, by patient. */
export interface LoadedRecords {
  readonly records: readonly StoredRecord[]
  readonly roots: ReadonlyMap<PatientId, Uint8Array>
}

/** The whole partition of a patient: the records with all values, and the sealed index. */
export interface StoredChart {
  readonly root: Uint8Array | undefined
  readonly chunks: ReadonlyMap<number, Uint8Array>
  readonly records: readonly StoredRecord[]
}

/**
 * The list of a tenant's patients is spread over partitions by the first character of the random id. The alphabet is in the
 * sort order of DynamoDB. The shards in their order are therefore sorted like every other list of patients, and lists with
 * one order can be merged.
 */
const PATIENT_SHARDS = 8
const BASE64URL = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'

const shardKey = (tenant: TenantId, shard: number): string => `${tenant}#PATIENTS#${shard}`
const shardOf = (patient: PatientId): number =>
  Math.floor((BASE64URL.indexOf(patient.charAt(0)) * PATIENT_SHARDS) / BASE64URL.length)

const unchangedSince = (before: Uint8Array) => ({
  ConditionExpression: '#m = :before',
  ExpressionAttributeNames: { '#m': MANIFEST },
  ExpressionAttributeValues: { ':before': { B: before } },
})

/** The table of sealed records: how its items are read and written. Opens nothing. */
export class RecordTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  async load(tenant: TenantId, refs: readonly RecordRef[], paths: ReadonlySet<SchemaPath>): Promise<readonly StoredRecord[]> {
    const keys = refs.map((ref) => recordItemKey(tenant, ref))
    return (await batchGet(this.#client, this.counter, this.#table, keys, { attributes: attributesFor(paths) })).map(toStored)
  }

  /**
   * Loads records, and the index roots of these patients, in one batch. A write may occur between the two.
   *
   * @throws StoreUnavailable
   */
  async loadWithRoots(
    tenant: TenantId,
    refs: readonly RecordRef[],
    paths: ReadonlySet<SchemaPath>,
    patients: readonly PatientId[],
    signal?: AbortSignal,
  ): Promise<LoadedRecords> {
    const keys = [...refs.map((ref) => recordItemKey(tenant, ref)), ...patients.map((patient) => indexKey(tenant, patient))]
    const records: StoredRecord[] = []
    const roots = new Map<PatientId, Uint8Array>()
    for (const item of await batchGet(this.#client, this.counter, this.#table, keys, {
      attributes: attributesFor(paths),
      signal,
    })) {
      if (text(item['sk']) === INDEX) roots.set(patientOf(item), bytes(item[MANIFEST]))
      else records.push(toStored(item))
    }
    return { records, roots }
  }

  /** Returns the root of a patient's index. */
  async indexRoot(tenant: TenantId, patient: PatientId, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [indexKey(tenant, patient)], { signal })
    return item && bytes(item[MANIFEST])
  }

  /** Returns chunks of a patient's index by number. Missing chunks are absent. */
  async indexChunks(
    tenant: TenantId,
    patient: PatientId,
    numbers: readonly number[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, Uint8Array>> {
    return (await this.chunksOf(tenant, new Map([[patient, numbers]]), signal)).get(patient) ?? new Map<number, Uint8Array>()
  }

  /** Returns chunks of the indexes of several patients, read in one batch. */
  async chunksOf(
    tenant: TenantId,
    wanted: ReadonlyMap<PatientId, Iterable<number>>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<PatientId, ReadonlyMap<number, Uint8Array>>> {
    const keys = [...wanted].flatMap(([patient, numbers]) => [...numbers].map((number) => indexKey(tenant, patient, number)))
    const found = new Map<PatientId, Map<number, Uint8Array>>([...wanted.keys()].map((patient) => [patient, new Map()]))
    for (const item of await batchGet(this.#client, this.counter, this.#table, keys, { signal })) {
      found.get(patientOf(item))?.set(Number(text(item['sk']).slice(INDEX.length + 1)), bytes(item[MANIFEST]))
    }
    return found
  }

  /** Returns the write of an index root. It fails if the stored root is not `before`. */
  putIndexRoot(tenant: TenantId, patient: PatientId, root: Uint8Array, before: Uint8Array | undefined): TransactWriteItem {
    const { pk, sk } = indexKey(tenant, patient)
    const Item: Item = { pk: { S: pk }, sk: { S: sk }, [MANIFEST]: { B: root } }
    if (before === undefined) return { Put: { TableName: this.#table, Item, ConditionExpression: 'attribute_not_exists(pk)' } }
    return { Put: { TableName: this.#table, Item, ...unchangedSince(before) } }
  }

  /** Returns the write of an index chunk. The condition on the root guards it. */
  putIndexChunk(tenant: TenantId, patient: PatientId, number: number, chunk: Uint8Array): TransactWriteItem {
    const { pk, sk } = indexKey(tenant, patient, number)
    return { Put: { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk }, [MANIFEST]: { B: chunk } } } }
  }

  async patients(
    tenant: TenantId,
    after: PatientId | undefined,
    limit: number,
    { signal }: Deadline,
  ): Promise<readonly PatientId[]> {
    const first = after === undefined ? 0 : shardOf(after)
    const shards = Array.from({ length: PATIENT_SHARDS - first }, async (_, index) => {
      const shard = first + index
      const since = index === 0 && after !== undefined ? after : ''
      const input = {
        // every id is greater than the empty text, and DynamoDB accepts no empty key
        KeyConditionExpression: since === '' ? 'pk = :shard' : 'pk = :shard AND sk > :after',
        ExpressionAttributeValues: { ':shard': { S: shardKey(tenant, shard) }, ...(since !== '' && { ':after': { S: since } }) },
        Limit: limit,
        ConsistentRead: true,
        ...project(['sk']),
      }
      return await this.#query(input, signal)
    })
    const items = (await Promise.all(shards)).flat()
    return items.slice(0, limit).map(({ sk }) => text(sk) as PatientId)
  }

  /** Returns a record with all its stored values. */
  async whole(tenant: TenantId, ref: RecordRef): Promise<StoredRecord | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [recordItemKey(tenant, ref)])
    return item && toStored(item)
  }

  /** Reads everything that is stored of a patient, the index root first. A write may occur between two pages. @throws StoreUnavailable */
  async chart(tenant: TenantId, patient: PatientId, { signal }: Deadline): Promise<StoredChart> {
    const pk = `${tenant}#${patient}`
    const input = { KeyConditionExpression: 'pk = :patient', ExpressionAttributeValues: { ':patient': { S: pk } } }
    const items = await this.#query({ ...input, ConsistentRead: true }, signal)
    const [index, records] = [new Map<string, Uint8Array>(), new Array<StoredRecord>()]
    for (const item of items) {
      const name = text(item['sk'])
      if (name.startsWith(INDEX)) index.set(name.slice(INDEX.length + 1), bytes(item[MANIFEST]))
      else records.push(toStored(item))
    }
    const root = index.get('')
    index.delete('')
    return { root, chunks: new Map([...index].map(([number, chunk]) => [Number(number), chunk])), records }
  }

  /** Returns the writes of a new record. They fail if a record with this id exists. */
  put(tenant: TenantId, record: StoredRecord): TransactWriteItem[] {
    return [
      { Put: { TableName: this.#table, Item: toItem(tenant, record), ConditionExpression: 'attribute_not_exists(pk)' } },
      ...this.#listed(tenant, record.ref),
    ]
  }

  /** Returns the write of a changed record. It fails if the stored manifest is not `before`. */
  replace(tenant: TenantId, record: StoredRecord, before: Uint8Array): TransactWriteItem {
    return {
      Put: {
        TableName: this.#table,
        Item: toItem(tenant, record),
        ...unchangedSince(before),
      },
    }
  }

  /** Returns the write that removes a record. It fails if the stored manifest is not `before`. */
  remove(tenant: TenantId, ref: RecordRef, before: Uint8Array): TransactWriteItem {
    const { pk, sk } = recordItemKey(tenant, ref)
    return { Delete: { TableName: this.#table, Key: { pk: { S: pk }, sk: { S: sk } }, ...unchangedSince(before) } }
  }

  /** Returns the condition that a record still has this manifest, or still does not exist. */
  unchanged(tenant: TenantId, ref: RecordRef, manifest: Uint8Array | undefined): TransactWriteItem {
    const { pk, sk } = recordItemKey(tenant, ref)
    const condition = manifest === undefined ? { ConditionExpression: 'attribute_not_exists(pk)' } : unchangedSince(manifest)
    return { ConditionCheck: { TableName: this.#table, Key: { pk: { S: pk }, sk: { S: sk } }, ...condition } }
  }

  /** Returns the write by which a patient's own record names another access manifest. The condition on the manifest guards it. */
  nameManifest(tenant: TenantId, patient: PatientId, type: TypeName, version: number): TransactWriteItem {
    const { pk, sk } = recordItemKey(tenant, { type, patient, id: patient as string as RecordId })
    return {
      Update: {
        TableName: this.#table,
        Key: { pk: { S: pk }, sk: { S: sk } },
        // a removed record must not come into being without values
        ConditionExpression: 'attribute_exists(pk)',
        UpdateExpression: `SET ${ACCESS} = :version`,
        ExpressionAttributeValues: { ':version': { N: String(version) } },
      },
    }
  }

  /** Returns the write of a patient's own record with the version of the access manifest that the same transaction writes. */
  withManifest(write: TransactWriteItem, version: number): TransactWriteItem {
    if (write.Put === undefined) return write
    return { Put: { ...write.Put, Item: { ...write.Put.Item, [ACCESS]: { N: String(version) } } } }
  }

  /** A patient's own record adds the patient to the list of the tenant's patients. */
  #listed(tenant: TenantId, { patient, id }: RecordRef): TransactWriteItem[] {
    if ((patient as string) !== (id as string)) return []
    return [{ Put: { TableName: this.#table, Item: { pk: { S: shardKey(tenant, shardOf(patient)) }, sk: { S: patient } } } }]
  }

  async #query(input: Omit<QueryCommandInput, 'TableName'>, signal: AbortSignal): Promise<Item[]> {
    const items: Item[] = []
    let next: QueryCommandInput['ExclusiveStartKey']
    do {
      this.counter.requests++
      const page = await unavailableOnFailure(
        this.#client.send(new QueryCommand({ ...input, TableName: this.#table, ...(next && { ExclusiveStartKey: next }) }), {
          abortSignal: signal,
        }),
      )
      items.push(...(page.Items ?? []))
      next = items.length < (input.Limit ?? Number.POSITIVE_INFINITY) ? page.LastEvaluatedKey : undefined
    } while (next !== undefined)
    return items
  }
}
