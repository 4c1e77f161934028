import { type DynamoDBClient, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import { batchGet, type Key, project, type RequestCounter, unavailableOnFailure } from './batch-get.ts'
import type { StoredRecord } from './record-items.ts'

/** Versions sort as texts. */
const VERSION_DIGITS = 10

/** No type has this name. */
const RETRACTED = '#RETRACTED#'

const retractionKey = (tenant: TenantId, { patient, type, id }: RecordRef): Key => ({
  pk: `${tenant}#${patient}`,
  sk: `${RETRACTED}${type}#${id}`,
})

const FIELD = 'f:'

/** `Patient.address.city` is stored as `f:address.city`, because the key contains the type. */
const attributeOf = (path: SchemaPath): string => FIELD + path.slice(path.indexOf('.') + 1)

/** One version of a record of a patient. */
export interface RecordVersion extends Pick<RecordRef, 'type' | 'id'> {
  readonly version: number
}

export const versionKey = ({ type, id, version }: RecordVersion): string =>
  `${type}#${id}#${String(version).padStart(VERSION_DIGITS, '0')}`

/** Earlier versions of records, with their original seal. Each is written with the version that replaces it, and never changed. */
export class HistoryTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * Returns the newest earlier version of a record; 0 if there is none. A record that returns to a chart continues after it.
   *
   * @throws StoreUnavailable
   */
  async lastVersion(tenant: TenantId, { patient, type, id }: RecordRef): Promise<number> {
    const { Items: [item] = [] } = await unavailableOnFailure(
      this.#client.send(
        new QueryCommand({
          TableName: this.#table,
          KeyConditionExpression: 'pk = :patient AND begins_with(sk, :record)',
          ExpressionAttributeValues: { ':patient': { S: `${tenant}#${patient}` }, ':record': { S: `${type}#${id}#` } },
          ScanIndexForward: false,
          Limit: 1,
          ConsistentRead: true,
          ...project(['sk']),
        }),
      ),
    )
    return item === undefined ? 0 : Number(item['sk']?.S?.slice(-VERSION_DIGITS))
  }

  /**
   * Returns the sealed manifests of earlier versions of one patient's records, by `versionKey`. A version that is missing is absent.
   *
   * @throws StoreUnavailable
   */
  async manifests(
    tenant: TenantId,
    patient: PatientId,
    versions: readonly RecordVersion[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    const pk = `${tenant}#${patient}`
    const keys = versions.map((version): Key => ({ pk, sk: versionKey(version) }))
    const items = await batchGet(this.#client, this.counter, this.#table, keys, { attributes: ['m'], signal })
    return new Map(items.map(({ sk, m }) => [sk?.S ?? '', m?.B ?? new Uint8Array()]))
  }

  /**
   * Returns earlier versions of one record with these values, by version. A version that is missing is absent.
   *
   * @throws StoreUnavailable
   */
  async load(
    tenant: TenantId,
    ref: RecordRef,
    versions: readonly number[],
    paths: ReadonlySet<SchemaPath>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, StoredRecord>> {
    const pk = `${tenant}#${ref.patient}`
    const keys = versions.map((version): Key => ({ pk, sk: versionKey({ ...ref, version }) }))
    const attributes = ['m', ...[...paths].map(attributeOf)]
    const items = await batchGet(this.#client, this.counter, this.#table, keys, { attributes, signal })
    return new Map(
      items.map((item): [number, StoredRecord] => {
        const fields = new Map<SchemaPath, Uint8Array>()
        for (const [name, value] of Object.entries(item)) {
          if (name.startsWith(FIELD))
            fields.set(`${ref.type}.${name.slice(FIELD.length)}` as SchemaPath, value.B ?? new Uint8Array())
        }
        return [Number(item['sk']?.S?.slice(-VERSION_DIGITS)), { ref, manifest: item['m']?.B ?? new Uint8Array(), fields }]
      }),
    )
  }

  /** Returns the write that marks a record as retracted. A later import does not bring it back. */
  putRetraction(tenant: TenantId, ref: RecordRef): TransactWriteItem {
    const { pk, sk } = retractionKey(tenant, ref)
    return { Put: { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk } } } }
  }

  /** Returns the names of those records that were retracted: `Type#id`. @throws StoreUnavailable */
  async retracted(tenant: TenantId, refs: readonly RecordRef[]): Promise<ReadonlySet<string>> {
    const keys = refs.map((ref) => retractionKey(tenant, ref))
    if (keys.length === 0) return new Set()
    const items = await batchGet(this.#client, this.counter, this.#table, keys)
    return new Set(items.map(({ sk }) => (sk?.S ?? '').slice(RETRACTED.length)))
  }

  put(tenant: TenantId, { ref, manifest, fields }: StoredRecord, version: number): TransactWriteItem {
    const item: NonNullable<TransactWriteItem['Put']>['Item'] = {
      pk: { S: `${tenant}#${ref.patient}` },
      sk: { S: versionKey({ ...ref, version }) },
      m: { B: manifest },
    }
    for (const [path, sealed] of fields) item[attributeOf(path)] = { B: sealed }
    return { Put: { TableName: this.#table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } }
  }
}
