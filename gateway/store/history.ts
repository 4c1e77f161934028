import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { TenantId } from '../model/ids.ts'
import type { StoredRecord } from './records.ts'

/** Earlier versions of records, with their original seal. Each is written with the version that replaces it, and never changed. */
export class HistoryTable {
  readonly #table: string

  constructor(table: string) {
    this.#table = table
  }

  put(tenant: TenantId, { ref, manifest, fields }: StoredRecord, version: number): TransactWriteItem {
    const item: NonNullable<TransactWriteItem['Put']>['Item'] = {
      pk: { S: `${tenant}#${ref.patient}` },
      sk: { S: `${ref.type}#${ref.id}#${String(version).padStart(10, '0')}` },
      m: { B: manifest },
    }
    for (const [path, sealed] of fields) item[`f:${path.slice(path.indexOf('.') + 1)}`] = { B: sealed }
    return { Put: { TableName: this.#table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } }
  }
}
