import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb'
import type { ComparisonToken } from '../model/comparison.ts'
import type { Deadline } from '../model/deadline.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { type Key, project, unavailableOnFailure } from './batch-get.ts'
import { type DerivedRow, DerivedTable } from './derived-rows.ts'

/** Comparison tokens of patients: `t#KIND#token` / `patient`. Rows have no other attributes. */
export class ComparisonTable extends DerivedTable {
  constructor(client: DynamoDBClient, table: string) {
    super(client, table, readRow)
  }

  /**
   * Returns the patients with a token, in the order of their ids. If there are more than `limit`, it returns `limit + 1` of them.
   *
   * @throws StoreUnavailable
   */
  async patientsWith(tenant: TenantId, token: ComparisonToken, limit: number, { signal }: Deadline): Promise<readonly PatientId[]> {
    this.counter.requests++
    const { Items: items = [] } = await unavailableOnFailure(
      this.client.send(
        new QueryCommand({
          TableName: this.table,
          KeyConditionExpression: 'pk = :token',
          ExpressionAttributeValues: { ':token': { S: tokenKey(tenant, token) } },
          Limit: limit + 1,
          ...project(['sk']),
        }),
        { abortSignal: signal },
      ),
    )
    return items.map(({ sk }) => (sk?.S ?? '') as PatientId)
  }

  row(tenant: TenantId, token: ComparisonToken, patient: PatientId): DerivedRow {
    return readRow({ pk: tokenKey(tenant, token), sk: patient })
  }
}

const readRow = ({ pk, sk }: Key): DerivedRow => ({ pk, sk, patient: sk as PatientId })

// tenants, kinds and tokens contain no `#`
const tokenKey = (tenant: TenantId, { kind, token }: ComparisonToken): string => `${tenant}#${kind}#${token}`
