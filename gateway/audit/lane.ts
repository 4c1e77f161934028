import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clocks, Deadline } from '../model/deadline.ts'
import { AuditUnavailable, VersionConflict } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import { causeName, type EventSink } from '../telemetry/events.ts'
import { type Answer, attempt } from './attempt.ts'
import { NOTHING_BEFORE } from './verify/item.ts'
import { type Hour, type HourClock, hourEnd, hourOf } from './hour.ts'
import type { ItemParts } from './item.ts'
import type { Submission } from './submission.ts'
import { buildTransaction, type LaneEnd, linkItems, ownerOf, type Transaction } from './transaction.ts'
import { UserAgents } from './user-agents.ts'

/** FENCED: another process writes to the lane. UNRESOLVED: the outcome of its last transaction is unknown. REFUSED: a fault. */
export type Retirement = 'FENCED' | 'UNRESOLVED' | 'REFUSED'

export interface LaneOptions {
  readonly client: Pick<DynamoDBClient, 'send'>
  readonly table: string
  readonly tenant: TenantId
  readonly name: string
  /** The lane that this one continues: `lane/last acknowledged sequence`. */
  readonly succeeds?: string
  readonly clocks: Clocks
  readonly hours: HourClock
  readonly events: EventSink
  /** Called once. The lane writes nothing new after it; its last transaction may still arrive. */
  readonly onRetired: (lane: Lane, why: Retirement) => void
  /** The table throttles this lane. */
  readonly onThrottled: (lane: Lane) => void
}

const ATTEMPT_MS = 1_500
const BACKOFF_MS = 20
const BACKOFF_MAX_MS = 400
/** How long a transaction is resolved after its requests gave up, so that the log is as complete as possible. */
const LINGER_MS = 15_000

/** OVER: nothing was sent, because the hour of the lane is over. */
type Fate = 'COMMITTED' | 'NEVER' | 'CONFLICT' | 'RETIRED' | 'OVER'

/**
 * One writer of the audit log, with one transaction in flight, for at most one hour.
 *
 * The lane assigns sequence and previous hash when it sends. While the outcome of a transaction is unknown, it sends the same bytes
 * again and nothing else. There is therefore exactly one item for each append, whatever the network does.
 */
export class Lane {
  readonly #options: LaneOptions
  readonly #userAgents = new UserAgents()
  readonly #hour: Hour
  readonly #hourEnd: Deadline
  readonly #era: number
  #busy = false
  #retired = false
  #registered = false
  #sequence = 0
  #prev = NOTHING_BEFORE

  constructor(options: LaneOptions) {
    this.#options = options
    const { time } = options.hours
    this.#era = options.hours.era
    this.#hour = hourOf(time)
    this.#hourEnd = new Deadline(hourEnd(time), options.clocks)
  }

  /** Whether a transaction is in flight. */
  get busy(): boolean {
    return this.#busy
  }

  /**
   * Whether the hour of the lane is over by one of the two clocks. The lane begins no transaction then. If the wall clock was set far
   * back, the lane is over too: its hour may not have begun, and a search by request id expects its times in order.
   */
  get isOver(): boolean {
    const { hours } = this.#options
    return this.#hourEnd.left === 0 || hourOf(hours.time) !== this.#hour || hours.era !== this.#era
  }

  /** Whether the lane follows another one and has not stored the end of that one yet. */
  get owesSuccession(): boolean {
    return this.#sequence === 0 && this.#options.succeeds !== undefined
  }

  /** Whether a successor can continue the lane. */
  get hasEnd(): boolean {
    return this.#sequence > 0 || this.owesSuccession
  }

  /**
   * Name and last acknowledged sequence, for the successor. If nothing was acknowledged, it is the end that this lane was to name:
   * otherwise that end would be lost.
   */
  get end(): string {
    const { name, succeeds } = this.#options
    return this.#sequence === 0 && succeeds !== undefined ? succeeds : `${name}/${this.#sequence}`
  }

  /**
   * Writes submissions in one transaction and settles each of them; never rejects. The lane must be neither busy nor retired.
   *
   * @returns the submissions that were not sent, because the hour ended first. Another lane takes them
   */
  async write(group: readonly Submission[]): Promise<readonly Submission[]> {
    this.#busy = true
    try {
      const transaction = this.#build(group)
      if (transaction === undefined) return []
      const fate = await this.#resolve(transaction)
      if (fate === 'OVER') return transaction.submissions
      this.#settle(transaction, fate)
    } catch (fault) {
      // a fault of the gateway: no request may wait for it, and the state of the lane is no longer reliable
      for (const { reject } of group) reject(new AuditUnavailable({ cause: fault }))
      this.#retire('REFUSED', causeName(fault))
    } finally {
      this.#busy = false
    }
    return []
  }

  #build(group: readonly Submission[]): Transaction | undefined {
    const { table, clocks } = this.#options
    const submissions: Submission[] = []
    const items: ItemParts[] = []
    this.#userAgents.begin()
    for (const submission of group) {
      try {
        items.push(...linkItems(this.#after(items), submission, this.#userAgents))
        submissions.push(submission)
      } catch (fault) {
        // none of its items was sent: it fails by itself, and its texts of user agents were not stored
        this.#userAgents.forget()
        this.#refused(causeName(fault))
        submission.reject(new AuditUnavailable({ cause: fault }))
      }
    }
    if (items.length === 0) return undefined
    const registration = this.#registered ? undefined : { hour: this.#hour, at: clocks.now() }
    return buildTransaction(table, this.#after([]), submissions, items, registration)
  }

  /** The end of the lane after these items. */
  #after(items: readonly ItemParts[]): LaneEnd {
    const { tenant, name, succeeds } = this.#options
    const { sequence, hash } = items.at(-1) ?? { sequence: this.#sequence, hash: this.#prev }
    return { tenant, lane: name, succeeds, sequence, prev: hash }
  }

  async #resolve(transaction: Transaction): Promise<Fate> {
    const deadlines = transaction.submissions.map(({ deadline }) => deadline)
    const left = (): number => Math.max(...deadlines.map((deadline) => deadline.left))
    const linger = new Deadline(Math.max(...deadlines.map(({ at }) => at)) + LINGER_MS, this.#options.clocks)
    // the clocks went on while the transaction was built
    if (this.isOver) return 'OVER'
    let unknown = false
    for (let round = 0; ; round++) {
      const answer = await attempt(this.#options.client, transaction.input, ATTEMPT_MS)
      const fate = this.#fate(transaction, answer, unknown)
      if (fate !== undefined) return fate
      if (answer.kind === 'UNKNOWN') unknown = true
      else this.#options.onThrottled(this)
      const cause = 'cause' in answer ? answer.cause : answer.kind
      const rest = left()
      if (rest <= 0) return this.#gaveUp(transaction, unknown, cause, linger)
      const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** round)
      // jitter spreads the retries of many processes
      await sleep(Math.min(backoff * (0.5 + Math.random() / 2), Math.max(1, rest)))
      // the process may have been frozen in between
      if (left() <= 0) return this.#gaveUp(transaction, unknown, cause, linger)
    }
  }

  /** The fate of a transaction after an answer; undefined if it is sent again. */
  #fate(transaction: Transaction, answer: Answer, unknown: boolean): Fate | undefined {
    switch (answer.kind) {
      case 'COMMITTED':
        return 'COMMITTED'
      case 'CONDITIONS': {
        const owner = ownerOf(transaction, answer.failed)
        if (owner === 'OURS') return 'COMMITTED'
        if (owner === 'OTHERS') return this.#retire('FENCED', 'ConditionalCheckFailed')
        // an attempt without an answer may still arrive: its sequence numbers cannot be assigned again
        if (unknown) this.#retire('UNRESOLVED', 'ConditionalCheckFailed')
        return 'CONFLICT'
      }
      case 'MISMATCH':
        return this.#retire('FENCED', 'IdempotentParameterMismatchException')
      case 'REFUSED':
        if (unknown) return this.#retire('UNRESOLVED', answer.cause)
        this.#refused(answer.cause)
        return 'NEVER'
      case 'UNKNOWN':
      case 'NOT_COMMITTED':
        return undefined
      default:
        return answer satisfies never
    }
  }

  /** No request waits any more. If each attempt was answered, the sequence numbers are free again. */
  #gaveUp(transaction: Transaction, unknown: boolean, cause: string, linger: Deadline): Fate {
    if (!unknown) {
      this.#refused(cause)
      return 'NEVER'
    }
    this.#linger(transaction, linger)
    return this.#retire('UNRESOLVED', cause)
  }

  #settle({ items, submissions }: Transaction, fate: Exclude<Fate, 'OVER'>): void {
    if (fate !== 'COMMITTED') {
      // texts of user agents in items that were never stored were not stored
      this.#userAgents.forget()
      for (const { reject } of submissions) reject(fate === 'CONFLICT' ? new VersionConflict() : new AuditUnavailable())
      return
    }
    this.#registered = true
    const { sequence, prev } = this.#after(items)
    this.#sequence = sequence
    this.#prev = prev
    let first = 0
    for (const { drafts, resolve } of submissions) {
      const stored = items.slice(first, first + drafts.length)
      first += drafts.length
      resolve(stored.map((item) => ({ lane: item.lane, sequence: item.sequence, hash: item.hash })))
    }
  }

  #retire(why: Retirement, cause: string): 'RETIRED' {
    if (this.#retired) return 'RETIRED'
    this.#retired = true
    const { tenant, name, events, onRetired } = this.#options
    events({ event: 'AUDIT_LANE_RETIRED', tenant, lane: name, sequence: this.#sequence, why })
    this.#refused(cause)
    onRetired(this, why)
    return 'RETIRED'
  }

  #refused(cause: string): void {
    const { tenant, name, events } = this.#options
    events({ event: 'AUDIT_REFUSED', tenant, lane: name, cause })
  }

  /** Sends a transaction on that no request waits for: if it can still be stored, it should be. */
  #linger(transaction: Transaction, end: Deadline): void {
    const { client } = this.#options
    const resend = async (): Promise<void> => {
      while (end.left > 0) {
        const { kind } = await attempt(client, transaction.input, ATTEMPT_MS)
        if (kind !== 'UNKNOWN' && kind !== 'NOT_COMMITTED') return
        await sleep(BACKOFF_MAX_MS, undefined, { ref: false })
      }
    }
    resend().catch(() => undefined)
  }
}
