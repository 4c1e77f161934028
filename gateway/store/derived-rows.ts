import { type DynamoDBClient, ScanCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import { batchGet, type Item, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** A row that follows from a record. It has no attributes besides its keys, and it is not authenticated. */
export interface DerivedRow extends Key {
  /** From the key. For a row that the gateway did not write, it can be any text. */
  readonly patient: PatientId
}

/** A table of rows that follow from records. */
export class DerivedTable<Row extends DerivedRow = DerivedRow> {
  readonly counter: RequestCounter = { requests: 0 }
  protected readonly client: DynamoDBClient
  protected readonly table: string
  readonly #read: (key: Key) => Row

  /** @param read the parts of a row's keys */
  constructor(client: DynamoDBClient, table: string, read: (key: Key) => Row) {
    this.client = client
    this.table = table
    this.#read = read
  }

  /** Returns the write of a row. A repeated write changes nothing. */
  putRow({ pk, sk }: Key): TransactWriteItem {
    return { Put: { TableName: this.table, Item: { pk: { S: pk }, sk: { S: sk } } } }
  }

  removeRow({ pk, sk }: Key): TransactWriteItem {
    return { Delete: { TableName: this.table, Key: { pk: { S: pk }, sk: { S: sk } } } }
  }

  /** Returns the rows that exist, as `pk sk`. @throws StoreUnavailable */
  async present(rows: readonly Key[], signal?: AbortSignal): Promise<ReadonlySet<string>> {
    const keys = rows.map(({ pk, sk }) => ({ pk, sk }))
    const items = await batchGet(this.client, this.counter, this.table, keys, { signal })
    return new Set(items.map(({ pk, sk }) => `${pk?.S ?? ''} ${sk?.S ?? ''}`))
  }

  /**
   * Yields all rows of a tenant, a page at a time. It scans the rows of all tenants, so it is only for the maintenance of the table.
   *
   * @throws StoreUnavailable
   */
  async *pages(tenant: TenantId): AsyncGenerator<readonly Row[]> {
    let next: Item | undefined
    do {
      this.counter.requests++
      const page = await unavailableOnFailure(
        this.client.send(
          new ScanCommand({
            TableName: this.table,
            ConsistentRead: true,
            FilterExpression: 'begins_with(pk, :tenant)',
            ExpressionAttributeValues: { ':tenant': { S: `${tenant}#` } },
            ...(next && { ExclusiveStartKey: next }),
          }),
        ),
      )
      yield (page.Items ?? []).map(({ pk, sk }) => this.#read({ pk: pk?.S ?? '', sk: sk?.S ?? '' }))
      next = page.LastEvaluatedKey
    } while (next !== undefined)
  }
}

export type ValueOf = (path: SchemaPath) => unknown

/** Determines the rows of one table that follow from a tenant's records. */
export interface DerivedWriter<Row extends DerivedRow = DerivedRow> {
  /** The paths that the rows of a record are made of. Empty for a record without rows. */
  paths(ref: RecordRef): readonly SchemaPath[]
  /**
   * Returns the writes of a record's rows, and the removals of its former rows. Rows that stay are written again, so that a row that was
   * removed, or that is missing because its rule is newer, exists afterwards.
   *
   * @param before the values of the earlier version; undefined for a new record
   * @param after the values of the new version; undefined if the record is removed
   * @throws KeyUnavailable
   */
  write(ref: RecordRef, after: ValueOf | undefined, before?: ValueOf): TransactWriteItem[]
  /**
   * Returns the rows that the table must have for a record. While a key rotates, it can have others under the former version: to remove all
   * rows of a record, use `write` without `after`.
   *
   * @throws KeyUnavailable
   */
  rows(ref: RecordRef, valueOf: ValueOf): Row[]
  /** The record from which a stored row can follow; undefined if it follows from none. */
  recordOf(row: Row): RecordRef | undefined
}

/** One text for a row, for maps and sets. */
export const rowName = ({ pk, sk }: Key): string => `${pk} ${sk}`

/** The writes that bring the rows of a table from one state to another. */
export function rowChanges(table: DerivedTable, after: readonly DerivedRow[], before: readonly DerivedRow[]): TransactWriteItem[] {
  const now = new Map(after.map((row) => [rowName(row), row]))
  const former = before.filter((row) => !now.has(rowName(row)))
  return [...[...now.values()].map((row) => table.putRow(row)), ...former.map((row) => table.removeRow(row))]
}
