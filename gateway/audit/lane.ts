import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clocks, Deadline } from '../model/deadline.ts'
import type { TenantId } from '../model/ids.ts'
import { causeName, type EventSink } from '../telemetry/events.ts'
import { AuditUnavailable, VersionConflict } from '../model/failures.ts'
import { attempt } from './attempt.ts'
import { type AuditEntry, FIRST_PREV } from './entry.ts'
import type { Submission } from './submission.ts'
import { buildTransaction, type LaneEnd, linkRecords, ownerOf, type Transaction } from './transaction.ts'
import { UserAgents } from './user-agents.ts'

export type Retirement = 'FENCED' | 'UNRESOLVED' | 'REFUSED'

export interface LaneOptions {
  readonly client: DynamoDBClient
  readonly table: string
  readonly tenant: TenantId
  readonly name: string
  /** The retired lane that this one follows: `lane/last acknowledged sequence`. */
  readonly succeeds?: string
  readonly clocks: Clocks
  readonly events: EventSink
  /** Called once. The lane writes nothing new any more; what it sent last may still arrive. */
  readonly onRetired: (lane: Lane, why: Retirement) => void
  /** The table holds this lane back. */
  readonly onThrottled: (lane: Lane) => void
}

const ATTEMPT_MS = 1_500
const BACKOFF_MS = 20
const BACKOFF_MAX_MS = 400
/** How long a transaction that nobody waits for any more is still resolved, so that the log is complete where it can be. */
const LINGER_MS = 15_000

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
  #busy = false
  #retired = false
  #registered = false
  #sequence = 0
  #prev = FIRST_PREV

  constructor(options: LaneOptions) {
    this.#options = options
  }

  /** Has a transaction in flight. */
  get busy(): boolean {
    return this.#busy
  }

  /** Follows a retired lane and has not stored yet where that ended. */
  get owesSuccession(): boolean {
    return this.#sequence === 0 && this.#options.succeeds !== undefined
  }

  /**
   * Name and last acknowledged sequence, for the successor. Where nothing was acknowledged, it is the end that this lane
   * itself was to name: what it may never have stored would else be forgotten.
   */
  get end(): string {
    const { name, succeeds } = this.#options
    return this.#sequence === 0 && succeeds !== undefined ? succeeds : `${name}/${this.#sequence}`
  }

  /**
   * Writes submissions in one transaction and answers each of them; never fails itself.
   * To be called while the lane is neither busy nor retired.
   */
  async write(group: readonly Submission[]): Promise<void> {
    this.#busy = true
    try {
      const transaction = this.#build(group)
      if (transaction !== undefined) this.#answer(transaction, await this.#resolve(transaction))
    } catch (fault) {
      // a fault of ours: nothing may hang on it, and the lane's state can no longer be trusted
      for (const { reject } of group) reject(new AuditUnavailable({ cause: fault }))
      this.#retire('REFUSED', causeName(fault))
    } finally {
      this.#busy = false
    }
  }

  #build(group: readonly Submission[]): Transaction | undefined {
    const { table, clocks } = this.#options
    const submissions: Submission[] = []
    const entries: AuditEntry[] = []
    for (const submission of group) {
      try {
        entries.push(...linkRecords(this.#after(entries), submission, this.#userAgents))
        submissions.push(submission)
      } catch (fault) {
        // no record of it was sent: it fails alone, and what it was to tell was not told
        this.#userAgents.forget()
        this.#refused(causeName(fault))
        submission.reject(new AuditUnavailable({ cause: fault }))
      }
    }
    if (entries.length === 0) return undefined
    return buildTransaction(table, this.#after([]), submissions, entries, this.#registered ? undefined : clocks.now())
  }

  /** Where the lane stands with these records behind it. */
  #after(entries: readonly AuditEntry[]): LaneEnd {
    const { tenant, name, succeeds } = this.#options
    const { sequence, hash } = entries.at(-1) ?? { sequence: this.#sequence, hash: this.#prev }
    return { tenant, lane: name, succeeds, sequence, prev: hash }
  }

  async #resolve(transaction: Transaction): Promise<Fate> {
    const left = (): number => Math.max(...transaction.submissions.map(({ deadline }) => deadline.left))
    let unknown = false
    for (let round = 0; ; round++) {
      const answer = await attempt(this.#options.client, transaction.input, ATTEMPT_MS)
      switch (answer.kind) {
        case 'COMMITTED':
          return 'COMMITTED'
        case 'CONDITIONS': {
          const owner = ownerOf(transaction, answer.failed)
          if (owner === 'OURS') return 'COMMITTED'
          if (owner === 'OTHERS') return this.#retire('FENCED', 'ConditionalCheckFailed')
          // an attempt that nobody heard of may still arrive: its numbers cannot be given again
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
          unknown = true
          break
        case 'NOT_COMMITTED':
          this.#options.onThrottled(this)
          break
        default:
          answer satisfies never
      }
      const rest = left()
      if (rest <= 0) {
        if (unknown) {
          this.#linger(transaction)
          return this.#retire('UNRESOLVED', answer.cause)
        }
        // not one attempt was left open: the numbers are free again
        this.#refused(answer.cause)
        return 'NEVER'
      }
      const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** round)
      // jitter keeps many processes from knocking at the same moment
      await sleep(Math.min(backoff * (0.5 + Math.random() / 2), Math.max(1, rest)))
    }
  }

  #answer({ entries, submissions }: Transaction, fate: Fate): void {
    if (fate !== 'COMMITTED') {
      // what was told in records that were never stored was not told
      this.#userAgents.forget()
      for (const { reject } of submissions) reject(fate === 'CONFLICT' ? new VersionConflict() : new AuditUnavailable())
      return
    }
    this.#registered = true
    const { sequence, prev } = this.#after(entries)
    this.#sequence = sequence
    this.#prev = prev
    let index = -1
    for (const { records, resolve, reject } of submissions) {
      index += records.length
      const entry = entries[index]
      if (entry === undefined) reject(new AuditUnavailable())
      else resolve({ lane: entry.lane, sequence: entry.sequence, hash: entry.hash })
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

  /** Goes on with a transaction that nobody waits for: where it can still be stored, it should be. */
  #linger(transaction: Transaction): void {
    const { client, clocks } = this.#options
    const end = new Deadline(clocks.now() + LINGER_MS, clocks)
    const knock = async (): Promise<void> => {
      while (end.left > 0) {
        const { kind } = await attempt(client, transaction.input, ATTEMPT_MS)
        if (kind !== 'UNKNOWN' && kind !== 'NOT_COMMITTED') return
        await sleep(BACKOFF_MAX_MS, undefined, { ref: false })
      }
    }
    knock().catch(() => undefined)
  }
}
