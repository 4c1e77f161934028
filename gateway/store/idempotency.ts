import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { TypeName } from '../../directives/coordinates.ts'
import type { Instant, PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
import { batchGet, type Key, type RequestCounter } from './batch-get.ts'

/** The result of an earlier request with the same idempotency key. It holds no value of the record. */
export interface EarlierResult {
  /** A keyed hash of the arguments. */
  readonly argumentsToken: string
  readonly ref: RecordRef
  readonly version: number
}

/** The time for which a key is remembered. */
const REMEMBERED_MS = 24 * 60 * 60_000

const itemKey = (tenant: TenantId, token: string): Key => ({ pk: `${tenant}#${token}`, sk: 'RESULT' })

/** The results of mutations by idempotency key: `t#token` / `RESULT`. Items expire by TTL. */
export class IdempotencyTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * Returns the result of a request within the last 24 hours. TTL deletes items late, so the time of an item decides.
   *
   * @param token of the key: `idempotencyToken`
   * @throws StoreUnavailable
   */
  async find(tenant: TenantId, token: string, now: Instant, signal?: AbortSignal): Promise<EarlierResult | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [itemKey(tenant, token)], { signal })
    if (item === undefined || Number(item['expires']?.N) * 1000 <= now) return undefined
    const [type = '', patient = '', id = ''] = (item['r']?.S ?? '').split('#')
    const ref = { type: type as TypeName, patient: patient as PatientId, id: id as RecordId }
    return { argumentsToken: item['h']?.S ?? '', ref, version: Number(item['v']?.N) }
  }

  /** Returns the write of a result. It fails if another request with the key succeeded within the last 24 hours. */
  put(tenant: TenantId, token: string, { argumentsToken, ref, version }: EarlierResult, now: Instant): TransactWriteItem {
    const { pk, sk } = itemKey(tenant, token)
    return {
      Put: {
        TableName: this.#table,
        Item: {
          pk: { S: pk },
          sk: { S: sk },
          h: { S: argumentsToken },
          r: { S: `${ref.type}#${ref.patient}#${ref.id}` },
          v: { N: String(version) },
          expires: { N: String(Math.ceil((now + REMEMBERED_MS) / 1000)) },
        },
        ConditionExpression: 'attribute_not_exists(pk) OR expires <= :now',
        ExpressionAttributeValues: { ':now': { N: String(Math.floor(now / 1000)) } },
      },
    }
  }
}
