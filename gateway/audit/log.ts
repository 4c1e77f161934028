import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { randomBytes } from 'node:crypto'
import { type Clocks, Deadline } from '../model/deadline.ts'
import { AuditUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import type { EventSink } from '../telemetry/events.ts'
import { HourClock } from './hour.ts'
import type { ItemDraft } from './item-draft.ts'
import { Lane } from './lane.ts'
import type { ProcessId } from './request-id.ts'
import { fitting, type ItemReceipt, MAX_ACTIONS, type Submission } from './submission.ts'
import { TenantLanes } from './tenant-lanes.ts'

/** Makes audit items durable. The items of one call belong to one tenant. */
export interface AuditLog {
  /**
   * Resolves when every item is stored.
   *
   * @param deadline milliseconds since the epoch, after which the caller no longer uses the result
   * @returns a receipt for each item, in their order
   * @throws AuditUnavailable if the items are not stored, or if that is not known in time
   */
  append(items: readonly ItemDraft[], deadline: number): Promise<readonly ItemReceipt[]>
  /**
   * Stores writes of other tables and the items that record them in one transaction, or none of both. At most 99 actions.
   *
   * @throws VersionConflict if a condition of the writes fails
   * @throws AuditUnavailable
   */
  commit(writes: readonly TransactWriteItem[], items: readonly ItemDraft[], deadline: number): Promise<readonly ItemReceipt[]>
}

export interface LaneLogOptions {
  /** With `maxAttempts: 1`: a lane must see each answer. */
  readonly client: Pick<DynamoDBClient, 'send'>
  readonly table: string
  readonly process: ProcessId
  readonly now: Clock
  readonly events: EventSink
  /** The maximum number of lanes of a tenant at one time; 4 by default. */
  readonly lanes?: number
  /** Milliseconds that are never set back. */
  readonly monotonic?: Clock
  readonly random?: (size: number) => Buffer
}

const LANES = 4
/** The interval at which a waiting request checks the clocks: a timer does not notice a wall clock that jumps over the deadline. */
const CHECK_MS = 250
const NAME_BYTES = 6

/** The lanes of one process: up to a few for each tenant and hour. */
export class LaneLog implements AuditLog {
  readonly #options: LaneLogOptions
  readonly #clocks: Clocks
  readonly #hours: HourClock
  readonly #tenants = new Map<TenantId, TenantLanes>()
  #prefix: string
  #opened = 0

  constructor(options: LaneLogOptions) {
    this.#options = options
    this.#clocks = { now: options.now, monotonic: options.monotonic ?? (() => performance.now()) }
    this.#hours = new HourClock(this.#clocks)
    this.#prefix = options.process
  }

  async append(items: readonly ItemDraft[], deadline: number): Promise<readonly ItemReceipt[]> {
    if (items.length === 0) throw new TypeError('an append has an item')
    const receipts = await Promise.all(fitting(items).map((part) => this.#submit([], part, deadline)))
    return receipts.flat()
  }

  async commit(
    writes: readonly TransactWriteItem[],
    items: readonly ItemDraft[],
    deadline: number,
  ): Promise<readonly ItemReceipt[]> {
    if (items.length === 0 || writes.length + items.length > MAX_ACTIONS)
      throw new TypeError('a commit has an item, and 1 to 99 actions')
    return await this.#submit(writes, items, deadline)
  }

  async #submit(writes: readonly TransactWriteItem[], drafts: readonly ItemDraft[], at: number): Promise<readonly ItemReceipt[]> {
    const deadline = new Deadline(at, this.#clocks)
    const lanes = this.#lanesOf(drafts)
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<readonly ItemReceipt[]>((resolve, reject) => {
        const submission: Submission = { drafts, writes, deadline, resolve, reject }
        lanes.submit(submission)
        const check = (): void => {
          const { left } = deadline
          if (left > 0) {
            timer = setTimeout(check, Math.min(left, CHECK_MS))
            return
          }
          lanes.withdraw(submission)
          reject(new AuditUnavailable())
        }
        check()
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #lanesOf([first]: readonly ItemDraft[]): TenantLanes {
    if (first === undefined) throw new TypeError('an append has an item')
    const { tenant } = first.context
    const known = this.#tenants.get(tenant)
    if (known !== undefined) return known
    const { client, table, events, lanes: max = LANES, random = randomBytes } = this.#options
    const lanes = new TenantLanes(max, ({ onRetired, onThrottled }, succeeds) => {
      return new Lane({
        client,
        table,
        tenant,
        name: `${this.#prefix}.${++this.#opened}`,
        ...(succeeds !== undefined && { succeeds }),
        clocks: this.#clocks,
        hours: this.#hours,
        events,
        onRetired: (lane, why) => {
          // another process writes under our names, such as one that was restored from the same snapshot: it has the same counter and
          // would meet us at the next name again. The process id stays first, because request ids locate records by it.
          if (why === 'FENCED') this.#prefix = `${this.#options.process}.${random(NAME_BYTES).toString('base64url')}`
          onRetired(lane, why)
        },
        onThrottled,
      })
    })
    this.#tenants.set(tenant, lanes)
    return lanes
  }
}
