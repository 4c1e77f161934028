import {
  type AttributeValue,
  type DynamoDBClient,
  QueryCommand,
  type QueryCommandInput,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb'
import type { Deadline } from '../model/deadline.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
import { batchGet, type Item, type Key, project, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** A record as it lies there: nothing of it can be read without its patient's key. */
export interface StoredRecord {
  readonly ref: RecordRef
  readonly manifest: Uint8Array
  /** The sealed values that were asked for and are there. */
  readonly fields: ReadonlyMap<SchemaPath, Uint8Array>
}

/** Records with the index roots that they are held against, by patient; sealed, all of it. */
export interface LoadedRecords {
  readonly records: readonly StoredRecord[]
  readonly roots: ReadonlyMap<PatientId, Uint8Array>
}

const MANIFEST = 'm'
const FIELD = 'f:'
/**
 * The list of a tenant's patients is spread over partitions by the first character of the random id. The alphabet stands in
 * the order in which DynamoDB sorts, so that shard after shard is one order, the same as that of other lists of patients:
 * only lists in one order can be merged.
 */
const PATIENT_SHARDS = 8
const BASE64URL = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'

/** No type is called so. */
const INDEX = '#INDEX'
const indexKey = (tenant: TenantId, patient: PatientId, chunk?: number): Key => ({
  pk: `${tenant}#${patient}`,
  sk: chunk === undefined ? INDEX : `${INDEX}#${chunk}`,
})
const unchangedSince = (before: Uint8Array) => ({
  ConditionExpression: '#m = :before',
  ExpressionAttributeNames: { '#m': MANIFEST },
  ExpressionAttributeValues: { ':before': { B: before } },
})
const itemKey = (tenant: TenantId, { patient, type, id }: RecordRef): Key => ({ pk: `${tenant}#${patient}`, sk: `${type}#${id}` })
/** `Patient.address.city` is stored as `f:address.city`: the type stands in the key. */
const attributeOf = (path: SchemaPath): string => FIELD + path.slice(path.indexOf('.') + 1)
const shardKey = (tenant: TenantId, shard: number): string => `${tenant}#PATIENTS#${shard}`
const shardOf = (patient: PatientId): number =>
  Math.floor((BASE64URL.indexOf(patient.charAt(0)) * PATIENT_SHARDS) / BASE64URL.length)

/** The table of sealed records: what is in an item, and how it is read and written. Opens nothing. */
export class RecordTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  async load(tenant: TenantId, refs: readonly RecordRef[], paths: ReadonlySet<SchemaPath>): Promise<readonly StoredRecord[]> {
    const attributes = [MANIFEST, ...[...paths].map(attributeOf)]
    const keys = refs.map((ref) => itemKey(tenant, ref))
    return (await batchGet(this.#client, this.counter, this.#table, keys, { attributes })).map(toStored)
  }

  /**
   * Records, and the index roots of these patients, in one batch. A write may stand between the two.
   * @throws StoreUnavailable
   */
  async loadWithRoots(
    tenant: TenantId,
    refs: readonly RecordRef[],
    paths: ReadonlySet<SchemaPath>,
    patients: readonly PatientId[],
    signal?: AbortSignal,
  ): Promise<LoadedRecords> {
    const attributes = [MANIFEST, ...[...paths].map(attributeOf)]
    const keys = [...refs.map((ref) => itemKey(tenant, ref)), ...patients.map((patient) => indexKey(tenant, patient))]
    const records: StoredRecord[] = []
    const roots = new Map<PatientId, Uint8Array>()
    for (const item of await batchGet(this.#client, this.counter, this.#table, keys, { attributes, signal })) {
      if (text(item['sk']) === INDEX) roots.set(patientOf(item), bytes(item[MANIFEST]))
      else records.push(toStored(item))
    }
    return { records, roots }
  }

  /** The root of a patient's index. */
  async indexRoot(tenant: TenantId, patient: PatientId, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [indexKey(tenant, patient)], { signal })
    return item && bytes(item[MANIFEST])
  }

  /** Chunks of a patient's index by number; those that are not there are left out. */
  async indexChunks(
    tenant: TenantId,
    patient: PatientId,
    numbers: readonly number[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, Uint8Array>> {
    return (await this.chunksOf(tenant, new Map([[patient, numbers]]), signal)).get(patient) ?? new Map<number, Uint8Array>()
  }

  /** Chunks of the indexes of several patients, in one batch. */
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

  /** The writing of an index root, which fails when it was changed in between. */
  putIndexRoot(tenant: TenantId, patient: PatientId, root: Uint8Array, before: Uint8Array | undefined): TransactWriteItem {
    const { pk, sk } = indexKey(tenant, patient)
    const Item: Item = { pk: { S: pk }, sk: { S: sk }, [MANIFEST]: { B: root } }
    if (before === undefined) return { Put: { TableName: this.#table, Item, ConditionExpression: 'attribute_not_exists(pk)' } }
    return { Put: { TableName: this.#table, Item, ...unchangedSince(before) } }
  }

  /** The writing of an index chunk, which the condition on the root guards. */
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
        // every id comes after the empty text, and DynamoDB takes no empty key
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

  /** A record with all that is stored of it. */
  async whole(tenant: TenantId, ref: RecordRef): Promise<StoredRecord | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [itemKey(tenant, ref)])
    return item && toStored(item)
  }

  /** The writing of a new record, which fails when there is one of that id already. */
  put(tenant: TenantId, record: StoredRecord): TransactWriteItem[] {
    return [
      { Put: { TableName: this.#table, Item: toItem(tenant, record), ConditionExpression: 'attribute_not_exists(pk)' } },
      ...this.#listed(tenant, record.ref),
    ]
  }

  /** The writing of a changed record, which fails when it was changed in between. */
  replace(tenant: TenantId, record: StoredRecord, before: Uint8Array): TransactWriteItem {
    return {
      Put: {
        TableName: this.#table,
        Item: toItem(tenant, record),
        ...unchangedSince(before),
      },
    }
  }

  /** The condition that a record is as it was read; undefined: that there is none. */
  unchanged(tenant: TenantId, ref: RecordRef, manifest: Uint8Array | undefined): TransactWriteItem {
    const { pk, sk } = itemKey(tenant, ref)
    const condition = manifest === undefined ? { ConditionExpression: 'attribute_not_exists(pk)' } : unchangedSince(manifest)
    return { ConditionCheck: { TableName: this.#table, Key: { pk: { S: pk }, sk: { S: sk } }, ...condition } }
  }

  /** A record that is a patient stands in the list of the tenant's patients too. */
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

function toItem(tenant: TenantId, { ref, manifest, fields }: StoredRecord): Item {
  const { pk, sk } = itemKey(tenant, ref)
  const item: Item = { pk: { S: pk }, sk: { S: sk }, [MANIFEST]: { B: manifest } }
  for (const [path, sealed] of fields) item[attributeOf(path)] = { B: sealed }
  return item
}

function toStored(item: Item): StoredRecord {
  const sk = text(item['sk'])
  const type = sk.slice(0, sk.indexOf('#')) as TypeName
  const fields = new Map<SchemaPath, Uint8Array>()
  for (const [name, value] of Object.entries(item)) {
    if (name.startsWith(FIELD)) fields.set(`${type}.${name.slice(FIELD.length)}` as SchemaPath, bytes(value))
  }
  return {
    ref: { type, patient: patientOf(item), id: sk.slice(sk.indexOf('#') + 1) as RecordId },
    manifest: bytes(item[MANIFEST]),
    fields,
  }
}

/** A tenant's name has no `#`. */
const patientOf = (item: Item): PatientId => text(item['pk']).slice(text(item['pk']).indexOf('#') + 1) as PatientId

function text(value: AttributeValue | undefined): string {
  return value?.S ?? ''
}

/** An attribute of another type is no sealed value: no bytes, which opens nowhere. */
function bytes(value: AttributeValue | undefined): Uint8Array {
  return value?.B ?? new Uint8Array()
}
