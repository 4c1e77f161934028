import { type DynamoDBClient, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { PatientId, RecordId, SchemaPath, TenantId } from '../vocabulary/ids.ts'
import type { Deadline } from '../vocabulary/deadline.ts'
import { type Key, project, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** A value of one index, hidden: the name of the index, and the token. */
export interface SearchTerm {
  /** The path, or the paths of a compound, in order. */
  readonly paths: readonly SchemaPath[]
  readonly token: string
}

/** A record that may have the value. Whoever writes the table can put one there: it is believed when the value was opened. */
export interface SearchHit {
  readonly patient: PatientId
  readonly id: RecordId
}

/** Where records are found by a value. */
export interface SearchSource {
  /**
   * The records that are listed under a term, in the order of their patients' ids as text: all of them where there are no more
   * than `limit`, else one more than that.
   * @throws StoreUnavailable
   */
  hits(tenant: TenantId, term: SearchTerm, limit: number, deadline: Deadline): Promise<readonly SearchHit[]>
}

/** Blind-index tokens: `t#path#token` / `patient#record`. No attribute beside the key. */
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
    // one page: a hundred of these keys are some ten kilobytes
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

  /** The writing of a record under a term; to write it again changes nothing. */
  put(tenant: TenantId, term: SearchTerm, hit: SearchHit): TransactWriteItem {
    const { pk, sk } = rowKey(tenant, term, hit)
    return { Put: { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk } } } }
  }

  remove(tenant: TenantId, term: SearchTerm, hit: SearchHit): TransactWriteItem {
    const { pk, sk } = rowKey(tenant, term, hit)
    return { Delete: { TableName: this.#table, Key: { pk: { S: pk }, sk: { S: sk } } } }
  }
}

// no tenant, path or token has a `#` in it
const termKey = (tenant: TenantId, { paths, token }: SearchTerm): string => `${tenant}#${paths.join('+')}#${token}`
const rowKey = (tenant: TenantId, term: SearchTerm, { patient, id }: SearchHit): Key => ({
  pk: termKey(tenant, term),
  sk: `${patient}#${id}`,
})
