import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, TenantId } from '../model/ids.ts'
import type { Deadline } from '../model/deadline.ts'
import { type Key, project, unavailableOnFailure } from './batch-get.ts'
import { type DerivedRow, DerivedTable } from './derived-rows.ts'

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

/** A row as stored. */
export interface SearchRow extends DerivedRow {
  /** From the key. For a row that the gateway did not write, it can be any text. */
  readonly id: RecordId
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
export class SearchTable extends DerivedTable<SearchRow> implements SearchSource {
  constructor(client: DynamoDBClient, table: string) {
    super(client, table, readRow)
  }

  async hits(tenant: TenantId, term: SearchTerm, limit: number, { signal }: Deadline): Promise<readonly SearchHit[]> {
    this.counter.requests++
    // one page: five hundred of these keys have about seventy kilobytes
    const { Items: items = [] } = await unavailableOnFailure(
      this.client.send(
        new QueryCommand({
          TableName: this.table,
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

  row(tenant: TenantId, term: SearchTerm, { patient, id }: SearchHit): SearchRow {
    return readRow({ pk: termKey(tenant, term), sk: `${patient}#${id}` })
  }
}

function readRow({ pk, sk }: Key): SearchRow {
  const [, paths = ''] = pk.split('#')
  const [patient = '', id = ''] = sk.split('#')
  const type = /^([A-Za-z_]\w*)\./.exec(paths)?.[1]
  return { pk, sk, patient: patient as PatientId, id: id as RecordId, type: type as TypeName | undefined }
}

// tenants, paths and tokens contain no `#`
const termKey = (tenant: TenantId, { paths, token }: SearchTerm): string => `${tenant}#${paths.join('+')}#${token}`
