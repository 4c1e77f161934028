import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { TenantId } from '../vocabulary/ids.ts'
import type { EventSink } from '../vocabulary/events.ts'
import { AuditUnavailable } from '../vocabulary/failures.ts'
import type { Clock } from '../vocabulary/record.ts'
import type { AuditContext, TimedAccess } from './entry.ts'
import { Lane, type LaneReceipt, MAX_ACTIONS, type Submission } from './lane.ts'
import type { ProcessId } from './request-id.ts'

/** Where access records become durable. */
export interface AuditLog {
  /**
   * Resolves when every record is stored.
   * @param deadline milliseconds since the epoch, after which the answer is of no more use
   * @throws AuditUnavailable when they are not, or when that is not known in time
   */
  append(context: AuditContext, records: readonly TimedAccess[], deadline: number): Promise<LaneReceipt>
  /**
   * Writes items and the records that tell of them in one transaction: both are stored or neither.
   * At most 99 actions together.
   * @throws VersionConflict when a condition of the items fails
   * @throws AuditUnavailable
   */
  commit(
    context: AuditContext,
    items: readonly TransactWriteItem[],
    records: readonly TimedAccess[],
    deadline: number,
  ): Promise<LaneReceipt>
}

export interface LaneLogOptions {
  /** With `maxAttempts: 1`: a lane must see each answer. */
  readonly client: DynamoDBClient
  readonly table: string
  readonly process: ProcessId
  readonly now: Clock
  readonly events: EventSink
}

/** The lanes of one process: one for each tenant, and its successor when it retires. */
export class LaneLog implements AuditLog {
  readonly #options: LaneLogOptions
  readonly #lanes = new Map<TenantId, Lane>()
  #made = 0

  constructor(options: LaneLogOptions) {
    this.#options = options
  }

  async append(context: AuditContext, records: readonly TimedAccess[], deadline: number): Promise<LaneReceipt> {
    const chunks: Promise<LaneReceipt>[] = []
    for (let start = 0; start < records.length; start += MAX_ACTIONS) {
      chunks.push(this.#submit(context, [], records.slice(start, start + MAX_ACTIONS), deadline))
    }
    const last = (await Promise.all(chunks)).at(-1)
    if (last === undefined) throw new TypeError('there is nothing to record')
    return last
  }

  async commit(
    context: AuditContext,
    items: readonly TransactWriteItem[],
    records: readonly TimedAccess[],
    deadline: number,
  ): Promise<LaneReceipt> {
    if (records.length === 0 || items.length + records.length > MAX_ACTIONS)
      throw new TypeError('a commit has 1 to 99 actions and a record')
    return await this.#submit(context, items, records, deadline)
  }

  async #submit(
    context: AuditContext,
    items: readonly TransactWriteItem[],
    records: readonly TimedAccess[],
    deadline: number,
  ): Promise<LaneReceipt> {
    const { now } = this.#options
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<LaneReceipt>((resolve, reject) => {
        timer = setTimeout(() => reject(new AuditUnavailable()), Math.max(0, deadline - now()))
        this.#lane(context.tenant).submit({ context, records, items, deadline, resolve, reject })
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #lane(tenant: TenantId): Lane {
    const current = this.#lanes.get(tenant)
    if (current !== undefined && !current.retired) return current
    const { client, table, process, now, events } = this.#options
    const lane: Lane = new Lane({
      client,
      table,
      tenant,
      name: `${process}.${++this.#made}`,
      ...(current !== undefined && { succeeds: current.end }),
      now,
      events,
      onRetired: (unsent: readonly Submission[]) => {
        // what was not sent yet has no number: the successor gives it one
        for (const submission of unsent) this.#lane(tenant).submit(submission)
      },
    })
    this.#lanes.set(tenant, lane)
    return lane
  }
}
