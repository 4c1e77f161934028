import {
  type AttributeValue,
  type DynamoDBClient,
  QueryCommand,
  type QueryCommandInput,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb'
import type { PatientId, RecordId, RecordRef, SchemaPath, TenantId, TypeName } from '../vocabulary/ids.ts'
import { batchGet, type Item, type Key, project, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** A record as it lies there: nothing of it can be read without its patient's key. */
export interface StoredRecord {
  readonly ref: RecordRef
  readonly manifest: Uint8Array
  /** The sealed values that were asked for and are there. */
  readonly fields: ReadonlyMap<SchemaPath, Uint8Array>
}

/** The seam to where records come from. DynamoDB is the shipped source; an upstream FHIR or REST service is another. */
export interface RecordSource {
  /**
   * The records that exist among those asked for, each with its manifest and no sealed value but those of `paths`.
   * @throws StoreUnavailable
   */
  load(tenant: TenantId, refs: readonly RecordRef[], paths: ReadonlySet<SchemaPath>): Promise<readonly StoredRecord[]>
  /**
   * Every record of one type of one patient, manifests only.
   * @throws StoreUnavailable
   */
  list(tenant: TenantId, patient: PatientId, type: TypeName): Promise<readonly StoredRecord[]>
  /**
   * Up to `limit` patients of a tenant in the order of their ids as text, after the one given.
   * @throws StoreUnavailable
   */
  patients(tenant: TenantId, after: PatientId | undefined, limit: number): Promise<readonly PatientId[]>
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

const recordKey = (tenant: TenantId, { patient, type, id }: RecordRef): Key => ({ pk: `${tenant}#${patient}`, sk: `${type}#${id}` })
/** `Patient.address.city` is stored as `f:address.city`: the type stands in the key. */
const attributeOf = (path: SchemaPath): string => FIELD + path.slice(path.indexOf('.') + 1)
const shardKey = (tenant: TenantId, shard: number): string => `${tenant}#PATIENTS#${shard}`
const shardOf = (patient: PatientId): number =>
  Math.floor((BASE64URL.indexOf(patient.charAt(0)) * PATIENT_SHARDS) / BASE64URL.length)

export class RecordTable implements RecordSource {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  async load(tenant: TenantId, refs: readonly RecordRef[], paths: ReadonlySet<SchemaPath>): Promise<readonly StoredRecord[]> {
    const attributes = [MANIFEST, ...[...paths].map(attributeOf)]
    const keys = refs.map((ref) => recordKey(tenant, ref))
    return (await batchGet(this.#client, this.counter, this.#table, keys, attributes)).map(toStored)
  }

  async list(tenant: TenantId, patient: PatientId, type: TypeName): Promise<readonly StoredRecord[]> {
    const items = await this.#query({
      KeyConditionExpression: 'pk = :patient AND begins_with(sk, :type)',
      ExpressionAttributeValues: { ':patient': { S: `${tenant}#${patient}` }, ':type': { S: `${type}#` } },
      ConsistentRead: true,
      ...project(['pk', 'sk', MANIFEST]),
    })
    return items.map(toStored)
  }

  async patients(tenant: TenantId, after: PatientId | undefined, limit: number): Promise<readonly PatientId[]> {
    const first = after === undefined ? 0 : shardOf(after)
    const shards = Array.from({ length: PATIENT_SHARDS - first }, async (_, index) => {
      const shard = first + index
      const since = index === 0 && after !== undefined ? after : ''
      return await this.#query({
        // every id comes after the empty text, and DynamoDB takes no empty key
        KeyConditionExpression: since === '' ? 'pk = :shard' : 'pk = :shard AND sk > :after',
        ExpressionAttributeValues: { ':shard': { S: shardKey(tenant, shard) }, ...(since !== '' && { ':after': { S: since } }) },
        Limit: limit,
        ConsistentRead: true,
        ...project(['sk']),
      })
    })
    const items = (await Promise.all(shards)).flat()
    return items.slice(0, limit).map(({ sk }) => text(sk) as PatientId)
  }

  /** A record with all that is stored of it. */
  async whole(tenant: TenantId, ref: RecordRef): Promise<StoredRecord | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [recordKey(tenant, ref)])
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
        ConditionExpression: '#m = :before',
        ExpressionAttributeNames: { '#m': MANIFEST },
        ExpressionAttributeValues: { ':before': { B: before } },
      },
    }
  }

  /** A record that is a patient stands in the list of the tenant's patients too. */
  #listed(tenant: TenantId, { patient, id }: RecordRef): TransactWriteItem[] {
    if ((patient as string) !== (id as string)) return []
    return [{ Put: { TableName: this.#table, Item: { pk: { S: shardKey(tenant, shardOf(patient)) }, sk: { S: patient } } } }]
  }

  async #query(input: Omit<QueryCommandInput, 'TableName'>): Promise<Item[]> {
    const items: Item[] = []
    let next: QueryCommandInput['ExclusiveStartKey']
    do {
      this.counter.requests++
      const page = await unavailableOnFailure(
        this.#client.send(new QueryCommand({ ...input, TableName: this.#table, ...(next && { ExclusiveStartKey: next }) })),
      )
      items.push(...(page.Items ?? []))
      next = items.length < (input.Limit ?? Number.POSITIVE_INFINITY) ? page.LastEvaluatedKey : undefined
    } while (next !== undefined)
    return items
  }
}

function toItem(tenant: TenantId, { ref, manifest, fields }: StoredRecord): Item {
  const { pk, sk } = recordKey(tenant, ref)
  const item: Item = { pk: { S: pk }, sk: { S: sk }, [MANIFEST]: { B: manifest } }
  for (const [path, sealed] of fields) item[attributeOf(path)] = { B: sealed }
  return item
}

function toStored(item: Item): StoredRecord {
  const pk = text(item['pk'])
  const sk = text(item['sk'])
  const type = sk.slice(0, sk.indexOf('#')) as TypeName
  const fields = new Map<SchemaPath, Uint8Array>()
  for (const [name, value] of Object.entries(item)) {
    if (name.startsWith(FIELD)) fields.set(`${type}.${name.slice(FIELD.length)}` as SchemaPath, bytes(value))
  }
  return {
    ref: { type, patient: pk.slice(pk.indexOf('#') + 1) as PatientId, id: sk.slice(sk.indexOf('#') + 1) as RecordId },
    manifest: bytes(item[MANIFEST]),
    fields,
  }
}

function text(value: AttributeValue | undefined): string {
  return value?.S ?? ''
}

/** An attribute of another type is no sealed value: no bytes, which opens nowhere. */
function bytes(value: AttributeValue | undefined): Uint8Array {
  return value?.B ?? new Uint8Array()
}
