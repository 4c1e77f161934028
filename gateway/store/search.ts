import { type DynamoDBClient, QueryCommand, ScanCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, TenantId } from '../model/ids.ts'
import type { Deadline } from '../model/deadline.ts'
import { batchGet, type Item, type Key, project, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** A value of one index as a token. */
export interface SearchTerm {
  /** The path, or the paths of a compound, in order. */
  readonly paths: readonly SchemaPath[]
  readonly token: string
}

/** A record that may have the value. A writer of the table can insert one, so open the value and compare it. */
export interface SearchHit {
  readonly patient: PatientId
  readonly id: RecordId
}

/** A row as stored. It is not authenticated. */
export interface SearchRow extends Key {
  /** The parts of the keys. For a row that the gateway did not write, they can be any text. */
  readonly hit: SearchHit
  /** The type of the record, from the path in the key; undefined if the key has no path. */
  readonly type: TypeName | undefined
}

/** Finds records by a value. */
export interface SearchSource {
  /**
   * Returns the records that are listed under a term, in the order of their patients' ids as text. If there are more than `limit`, it
   * returns `limit + 1` of them.
   *
   * @throws StoreUnavailable
   */
  hits(tenant: TenantId, term: SearchTerm, limit: number, deadline: Deadline): Promise<readonly SearchHit[]>
}

/** Blind-index tokens: `t#path#token` / `patient#record`. Rows have no other attributes. */
export class SearchTable implements SearchSource {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  async hits(tenant: TenantId, term: SearchTerm, limit: number, { signal }: Deadline): Promise<readonly SearchHit[]> {
    this.counter.requests++
    // one page: five hundred of these keys have about seventy kilobytes
    const { Items: items = [] } = await unavailableOnFailure(
      this.#client.send(
        new QueryCommand({
          TableName: this.#table,
          KeyConditionExpression: 'pk = :term',
          ExpressionAttributeValues: { ':term': { S: termKey(tenant, term) } },
          Limit: limit + 1,
          ConsistentRead: true,
          ...project(['sk']),
        }),
        { abortSignal: signal },
      ),
    )
    return items.map(({ sk }) => {
      const [patient = '', id = ''] = (sk?.S ?? '').split('#')
      return { patient: patient as PatientId, id: id as RecordId }
    })
  }

  /** Returns the write that lists a record under a term. A repeated write changes nothing. */
  put(tenant: TenantId, term: SearchTerm, hit: SearchHit): TransactWriteItem {
    return this.putRow(this.row(tenant, term, hit))
  }

  remove(tenant: TenantId, term: SearchTerm, hit: SearchHit): TransactWriteItem {
    return this.removeRow(this.row(tenant, term, hit))
  }

  row(tenant: TenantId, term: SearchTerm, { patient, id }: SearchHit): SearchRow {
    return readRow({ pk: termKey(tenant, term), sk: `${patient}#${id}` })
  }

  putRow({ pk, sk }: SearchRow): TransactWriteItem {
    return { Put: { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk } } } }
  }

  removeRow({ pk, sk }: SearchRow): TransactWriteItem {
    return { Delete: { TableName: this.#table, Key: { pk: { S: pk }, sk: { S: sk } } } }
  }

  /** Returns the rows that exist, as `pk sk`. @throws StoreUnavailable */
  async present(rows: readonly SearchRow[]): Promise<ReadonlySet<string>> {
    const keys = rows.map(({ pk, sk }) => ({ pk, sk }))
    const items = await batchGet(this.#client, this.counter, this.#table, keys)
    return new Set(items.map(({ pk, sk }) => `${pk?.S ?? ''} ${sk?.S ?? ''}`))
  }

  /**
   * Yields all rows of a tenant, a page at a time. It scans the rows of all tenants, so it is only for the maintenance of the table.
   *
   * @throws StoreUnavailable
   */
  async *pages(tenant: TenantId): AsyncGenerator<readonly SearchRow[]> {
    let next: Item | undefined
    do {
      this.counter.requests++
      const page = await unavailableOnFailure(
        this.#client.send(
          new ScanCommand({
            TableName: this.#table,
            ConsistentRead: true,
            FilterExpression: 'begins_with(pk, :tenant)',
            ExpressionAttributeValues: { ':tenant': { S: `${tenant}#` } },
            ...(next && { ExclusiveStartKey: next }),
          }),
        ),
      )
      yield (page.Items ?? []).map(({ pk, sk }) => readRow({ pk: pk?.S ?? '', sk: sk?.S ?? '' }))
      next = page.LastEvaluatedKey
    } while (next !== undefined)
  }
}

function readRow({ pk, sk }: Key): SearchRow {
  const [, paths = ''] = pk.split('#')
  const [patient = '', id = ''] = sk.split('#')
  const type = /^([A-Za-z_]\w*)\./.exec(paths)?.[1]
  return { pk, sk, hit: { patient: patient as PatientId, id: id as RecordId }, type: type as TypeName | undefined }
}

// tenants, paths and tokens contain no `#`
const termKey = (tenant: TenantId, { paths, token }: SearchTerm): string => `${tenant}#${paths.join('+')}#${token}`
