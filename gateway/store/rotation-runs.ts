import { ConditionalCheckFailedException, type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { z } from 'zod'
import { StoreUnavailable, VersionConflict } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import { ROTATION_SCOPES, ROTATION_STEPS, type RotationRun } from '../model/rotation-run.ts'
import { batchGet, type RequestCounter } from './batch-get.ts'

const SORT_KEY = 'ROTATION'
const count = z.int().nonnegative()
const version = z.int().positive().optional()
const Run = z.strictObject({
  started: count,
  scope: z.enum(ROTATION_SCOPES),
  planned: z.strictObject({ tenant: version, access: version, cursor: version, index: version }),
  step: z.enum(ROTATION_STEPS),
  done: count,
  of: count,
  refused: count,
  updated: count,
  finished: count.optional(),
})

/**
 * The latest rotation of each tenant, in the keys table: `t` / `ROTATION`. It has no key and no patient. It only says which versions are
 * planned and how far the rotation is, so a rotation never skips a step because of it.
 */
export class RotationRunTable {
  readonly counter: RequestCounter = { requests: 0 }
  readonly #client: DynamoDBClient
  readonly #table: string

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** The latest rotation; undefined if there was none, or if what is stored is none. @throws StoreUnavailable */
  async latest(tenant: TenantId): Promise<RotationRun | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [{ pk: tenant, sk: SORT_KEY }])
    try {
      return Run.parse(JSON.parse(item?.['run']?.S ?? ''))
    } catch {
      return undefined
    }
  }

  /** Stores a rotation that starts. @throws VersionConflict if another one started meanwhile; StoreUnavailable */
  async start(tenant: TenantId, run: RotationRun, former: RotationRun | undefined): Promise<void> {
    await this.#put(tenant, run, former === undefined ? undefined : former.started)
  }

  /** Stores the progress of a rotation. @throws VersionConflict if another one started meanwhile; StoreUnavailable */
  async save(tenant: TenantId, run: RotationRun): Promise<void> {
    await this.#put(tenant, run, run.started)
  }

  async #put(tenant: TenantId, run: RotationRun, started: number | undefined): Promise<void> {
    this.counter.requests++
    const condition =
      started === undefined
        ? // what is stored is unreadable, or nothing
          {}
        : { ConditionExpression: 'started = :started', ExpressionAttributeValues: { ':started': { N: String(started) } } }
    try {
      await this.#client.send(
        new PutItemCommand({
          TableName: this.#table,
          Item: { pk: { S: tenant }, sk: { S: SORT_KEY }, started: { N: String(run.started) }, run: { S: JSON.stringify(run) } },
          ...condition,
        }),
      )
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) throw new VersionConflict()
      throw new StoreUnavailable({ cause })
    }
  }
}
