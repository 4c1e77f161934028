import { type DynamoDBClient, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { RecordRef, TenantId } from '../model/ids.ts'
import { project, unavailableOnFailure } from './batch-get.ts'
import type { StoredRecord } from './records.ts'

/** Versions sort as texts. */
const VERSION_DIGITS = 10

/** Earlier versions of records, with their original seal. Each is written with the version that replaces it, and never changed. */
export class HistoryTable {
  readonly #client: DynamoDBClient
  readonly #table: string

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

  put(tenant: TenantId, { ref, manifest, fields }: StoredRecord, version: number): TransactWriteItem {
    const item: NonNullable<TransactWriteItem['Put']>['Item'] = {
      pk: { S: `${tenant}#${ref.patient}` },
      sk: { S: `${ref.type}#${ref.id}#${String(version).padStart(VERSION_DIGITS, '0')}` },
      m: { B: manifest },
    }
    for (const [path, sealed] of fields) item[`f:${path.slice(path.indexOf('.') + 1)}`] = { B: sealed }
    return { Put: { TableName: this.#table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } }
  }
}
