import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { randomBytes } from 'node:crypto'
import { type Clocks, Deadline } from '../model/deadline.ts'
import type { TenantId } from '../model/ids.ts'
import type { EventSink } from '../telemetry/events.ts'
import { AuditUnavailable } from '../model/failures.ts'
import type { Clock } from '../model/record.ts'
import type { AuditContext, TimedAccess } from './entry.ts'
import { Lane } from './lane.ts'
import type { ProcessId } from './request-id.ts'
import { type LaneReceipt, MAX_ACTIONS, type Submission } from './submission.ts'
import { TenantLanes } from './tenant-lanes.ts'

/** Where access records become durable. */
export interface AuditLog {
  /**
   * Resolves when every record is stored.
   * @param deadline milliseconds since the epoch, after which the answer is of no more use
   * @returns what proves them: a receipt for each transaction that they went with, in their order
   * @throws AuditUnavailable when they are not stored, or when that is not known in time
   */
  append(context: AuditContext, records: readonly TimedAccess[], deadline: number): Promise<readonly LaneReceipt[]>
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
  /** How many lanes a tenant may have at once; 4 unless told. */
  readonly lanes?: number
  /** Milliseconds that are never set back. */
  readonly monotonic?: Clock
  readonly random?: (size: number) => Buffer
}

const LANES = 4
/** How often a waiter looks at the clocks: a timer alone would not see a wall clock that jumps over its deadline. */
const LOOK_MS = 250
const NAME_BYTES = 6

/** The lanes of one process: up to a few for each tenant, and a successor for each that retires. */
export class LaneLog implements AuditLog {
  readonly #options: LaneLogOptions
  readonly #clocks: Clocks
  readonly #tenants = new Map<TenantId, TenantLanes>()
  #prefix: string
  #made = 0

  constructor(options: LaneLogOptions) {
    this.#options = options
    this.#clocks = { now: options.now, monotonic: options.monotonic ?? (() => performance.now()) }
    this.#prefix = options.process
  }

  async append(context: AuditContext, records: readonly TimedAccess[], deadline: number): Promise<readonly LaneReceipt[]> {
    if (records.length === 0) throw new TypeError('there is nothing to record')
    const chunks: Promise<LaneReceipt>[] = []
    for (let start = 0; start < records.length; start += MAX_ACTIONS) {
      chunks.push(this.#submit(context, [], records.slice(start, start + MAX_ACTIONS), deadline))
    }
    return await Promise.all(chunks)
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
    at: number,
  ): Promise<LaneReceipt> {
    const deadline = new Deadline(at, this.#clocks)
    const lanes = this.#of(context.tenant)
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<LaneReceipt>((resolve, reject) => {
        const submission: Submission = { context, records, items, deadline, resolve, reject }
        lanes.submit(submission)
        const look = (): void => {
          const { left } = deadline
          if (left > 0) {
            timer = setTimeout(look, Math.min(left, LOOK_MS))
            return
          }
          lanes.withdraw(submission)
          reject(new AuditUnavailable())
        }
        look()
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #of(tenant: TenantId): TenantLanes {
    const known = this.#tenants.get(tenant)
    if (known !== undefined) return known
    const { client, table, events, lanes = LANES, random = randomBytes } = this.#options
    const made = new TenantLanes(lanes, ({ onRetired, onThrottled }, succeeds) => {
      return new Lane({
        client,
        table,
        tenant,
        name: `${this.#prefix}.${++this.#made}`,
        ...(succeeds !== undefined && { succeeds }),
        clocks: this.#clocks,
        events,
        onRetired: (lane, why) => {
          // somebody else writes under our names, as a process does that was restored from the same snapshot: it counts as we do,
          // and would meet us again at the next name. The process stays in front, so that request ids go on locating records.
          if (why === 'FENCED') this.#prefix = `${this.#options.process}.${random(NAME_BYTES).toString('base64url')}`
          onRetired(lane)
        },
        onThrottled,
      })
    })
    this.#tenants.set(tenant, made)
    return made
  }
}
