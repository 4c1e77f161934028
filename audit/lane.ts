import type { DynamoDBClient, TransactWriteItem, TransactWriteItemsCommandInput } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TenantId } from '../vocabulary/ids.ts'
import { causeName, type EventSink } from '../vocabulary/events.ts'
import { AuditUnavailable, VersionConflict } from '../vocabulary/failures.ts'
import type { Clock } from '../vocabulary/record.ts'
import { type Answer, attempt } from './attempt.ts'
import { type AuditContext, type AuditEntry, FIRST_PREV, linkEntry, type TimedAccess } from './entry.ts'
import { LANES, laneKey, toItem } from './item.ts'
import { UserAgents } from './user-agents.ts'

/** The last record of a submission, so that its writer can prove later that it was there. */
export interface LaneReceipt {
  readonly lane: string
  readonly sequence: number
  readonly hash: string
}

/** Records that become durable together, with the items whose writing they tell of. */
export interface Submission {
  readonly context: AuditContext
  readonly records: readonly TimedAccess[]
  readonly items: readonly TransactWriteItem[]
  /** When the answer is of no more use to the one who waits. */
  readonly deadline: number
  readonly resolve: (receipt: LaneReceipt) => void
  readonly reject: (failure: AuditUnavailable | VersionConflict) => void
}

export interface LaneOptions {
  readonly client: DynamoDBClient
  readonly table: string
  readonly tenant: TenantId
  readonly name: string
  /** The retired lane that this one follows: `lane/last acknowledged sequence`. */
  readonly succeeds?: string
  readonly now: Clock
  readonly events: EventSink
  /** Called once, with what was not sent yet. */
  readonly onRetired: (unsent: readonly Submission[]) => void
}

/** A transaction holds 100 actions; the first one of a lane also registers the lane. */
export const MAX_ACTIONS = 99
const ATTEMPT_MS = 1_500
const BACKOFF_MS = 20
const BACKOFF_MAX_MS = 400
/** How long a transaction that nobody waits for any more is still resolved, so that the log is complete where it can be. */
const LINGER_MS = 15_000

interface Transaction {
  readonly submissions: readonly Submission[]
  readonly entries: readonly AuditEntry[]
  readonly input: TransactWriteItemsCommandInput
  /** Position of the first audit record among the actions. */
  readonly offset: number
}

type Fate = 'COMMITTED' | 'NEVER' | 'CONFLICT' | 'RETIRED'

/**
 * One writer of the audit log, with one transaction in flight.
 *
 * Sequence and previous hash are given at sending. While the fate of a transaction is unknown the very same bytes are
 * sent again, and nothing else: that is why there is exactly one record for each access whatever the network does.
 */
export class Lane {
  readonly #options: LaneOptions
  readonly #userAgents = new UserAgents()
  #queue: Submission[] = []
  #running = false
  #retired = false
  #registered = false
  #sequence = 0
  #prev = FIRST_PREV

  constructor(options: LaneOptions) {
    this.#options = options
  }

  get retired(): boolean {
    return this.#retired
  }

  /**
   * Name and last acknowledged sequence, for the successor. Where nothing was acknowledged, it is the end that this lane
   * itself was to name: what it may never have stored would else be forgotten.
   */
  get end(): string {
    const { name, succeeds } = this.#options
    return this.#sequence === 0 && succeeds !== undefined ? succeeds : `${name}/${this.#sequence}`
  }

  submit(submission: Submission): void {
    this.#queue.push(submission)
    if (this.#running) return
    this.#running = true
    this.#run().then(
      () => undefined,
      // a fault of ours: nothing may hang on it, and the lane's state can no longer be trusted
      (fault: unknown) => this.#retire('REFUSED', causeName(fault)),
    )
  }

  async #run(): Promise<void> {
    while (!this.#retired) {
      const group = this.#take()
      if (group.length === 0) break
      const reject = (failure: AuditUnavailable | VersionConflict): void => {
        for (const submission of group) submission.reject(failure)
      }
      try {
        const transaction = this.#build(group)
        const fate = await this.#resolve(transaction)
        if (fate === 'COMMITTED') {
          this.#acknowledge(transaction)
          continue
        }
        // what was told in records that were never stored was not told
        this.#userAgents.forget()
        reject(fate === 'CONFLICT' ? new VersionConflict() : new AuditUnavailable())
      } catch (fault) {
        reject(new AuditUnavailable({ cause: fault }))
        throw fault
      }
    }
    this.#running = false
  }

  /** The next submissions that travel together. One that writes other items goes alone: its conditions are its own. */
  #take(): Submission[] {
    const now = this.#options.now()
    const group: Submission[] = []
    let actions = 0
    for (;;) {
      const next = this.#queue[0]
      if (next === undefined) break
      if (next.deadline <= now) {
        this.#queue.shift()
        next.reject(new AuditUnavailable())
        continue
      }
      const alone = next.items.length > 0
      const size = next.records.length + next.items.length
      if (group.length > 0 && (alone || actions + size > MAX_ACTIONS)) break
      this.#queue.shift()
      group.push(next)
      actions += size
      if (alone) break
    }
    return group
  }

  #build(submissions: readonly Submission[]): Transaction {
    const { table, tenant, name } = this.#options
    const entries: AuditEntry[] = []
    let prev = this.#prev
    for (const { context, records } of submissions) {
      for (const access of records) {
        const entry = linkEntry(this.#entry(context, access, this.#sequence + entries.length + 1), prev)
        prev = entry.hash
        entries.push(entry)
      }
    }
    const registration: TransactWriteItem[] = this.#registered
      ? []
      : [put(table, { l: { S: laneKey(tenant, LANES) }, n: { S: name }, at: { N: String(this.#options.now()) } })]
    const token = createHash('sha256')
      .update(`${tenant}\n${name}\n${this.#sequence + 1}\n${prev}`)
      .digest('base64url')
      .slice(0, 36)
    return {
      submissions,
      entries,
      offset: registration.length,
      input: {
        ClientRequestToken: token,
        TransactItems: [
          ...registration,
          ...entries.map((entry) => put(table, toItem(entry))),
          ...submissions.flatMap(({ items }) => items),
        ],
      },
    }
  }

  #entry(context: AuditContext, { at, ...access }: TimedAccess, sequence: number): Omit<AuditEntry, 'prev' | 'hash'> {
    const { userAgent, ...who } = context
    const { name, succeeds } = this.#options
    return {
      ...who,
      ...access,
      lane: name,
      sequence,
      time: new Date(at).toISOString(),
      ...(userAgent !== undefined && this.#userAgents.tell(userAgent, context.session)),
      ...(sequence === 1 && succeeds !== undefined && { succeeds }),
    }
  }

  async #resolve(transaction: Transaction): Promise<Fate> {
    const { now } = this.#options
    const deadline = Math.max(...transaction.submissions.map((submission) => submission.deadline))
    let unknown = false
    for (let round = 0; ; round++) {
      const answer = await attempt(this.#options.client, transaction.input, ATTEMPT_MS)
      switch (answer.kind) {
        case 'COMMITTED':
          return 'COMMITTED'
        case 'CONDITIONS': {
          const owner = this.#owner(transaction, answer.failed)
          if (owner === 'OURS') return 'COMMITTED'
          if (owner === 'OTHERS') return this.#retire('FENCED', 'ConditionalCheckFailed')
          return unknown ? (this.#retire('UNRESOLVED', 'ConditionalCheckFailed'), 'CONFLICT') : 'CONFLICT'
        }
        case 'MISMATCH':
          return this.#retire('FENCED', 'IdempotentParameterMismatchException')
        case 'REFUSED':
          if (unknown) return this.#retire('UNRESOLVED', answer.cause)
          this.#refused(answer)
          return 'NEVER'
        case 'UNKNOWN':
          unknown = true
          break
        case 'NOT_COMMITTED':
          break
        default:
          answer satisfies never
      }
      if (now() >= deadline) {
        if (unknown) {
          this.#linger(transaction)
          return this.#retire('UNRESOLVED', answer.cause)
        }
        // not one attempt was left open: the numbers are free again
        this.#refused(answer)
        return 'NEVER'
      }
      const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** round)
      // jitter keeps many processes from knocking at the same moment
      await sleep(Math.min(backoff * (0.5 + Math.random() / 2), Math.max(1, deadline - now())))
    }
  }

  /** Whose records stand where ours should. NOBODY: the conditions of the other items failed. */
  #owner({ entries, offset }: Transaction, failed: ReadonlyMap<number, Uint8Array | 'other'>): 'OURS' | 'OTHERS' | 'NOBODY' {
    let ours = 0
    let others = offset > 0 && failed.has(0) ? 1 : 0
    for (const [index, { hash }] of entries.entries()) {
      const stored = failed.get(index + offset)
      if (stored === undefined) continue
      if (stored !== 'other' && Buffer.from(stored).toString('hex') === hash) ours++
      else others++
    }
    if (ours === entries.length) return 'OURS'
    return ours + others > 0 ? 'OTHERS' : 'NOBODY'
  }

  #acknowledge({ entries, submissions }: Transaction): void {
    this.#registered = true
    const last = entries.at(-1)
    if (last !== undefined) {
      this.#sequence = last.sequence
      this.#prev = last.hash
    }
    let index = -1
    for (const { records, resolve, reject } of submissions) {
      index += records.length
      const entry = entries[index]
      if (entry === undefined) reject(new AuditUnavailable())
      else resolve({ lane: entry.lane, sequence: entry.sequence, hash: entry.hash })
    }
  }

  #retire(why: 'FENCED' | 'UNRESOLVED' | 'REFUSED', cause: string): 'RETIRED' {
    if (this.#retired) return 'RETIRED'
    this.#retired = true
    const { tenant, name, events, onRetired } = this.#options
    events({ event: 'AUDIT_LANE_RETIRED', tenant, lane: name, sequence: this.#sequence, why })
    events({ event: 'AUDIT_REFUSED', tenant, lane: name, cause })
    const unsent = this.#queue
    this.#queue = []
    onRetired(unsent)
    return 'RETIRED'
  }

  #refused(answer: Extract<Answer, { cause: string }>): void {
    this.#options.events({ event: 'AUDIT_REFUSED', tenant: this.#options.tenant, lane: this.#options.name, cause: answer.cause })
  }

  /** Goes on with a transaction that nobody waits for: where it can still be stored, it should be. */
  #linger(transaction: Transaction): void {
    const { client, now } = this.#options
    const end = now() + LINGER_MS
    const knock = async (): Promise<void> => {
      while (now() < end) {
        const { kind } = await attempt(client, transaction.input, ATTEMPT_MS)
        if (kind !== 'UNKNOWN' && kind !== 'NOT_COMMITTED') return
        await sleep(BACKOFF_MAX_MS, undefined, { ref: false })
      }
    }
    knock().catch(() => undefined)
  }
}

function put(table: string, item: NonNullable<TransactWriteItem['Put']>['Item']): TransactWriteItem {
  return {
    Put: {
      TableName: table,
      Item: item,
      ConditionExpression: 'attribute_not_exists(l)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    },
  }
}
