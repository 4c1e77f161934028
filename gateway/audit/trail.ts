import type { AccessRecord } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Instant } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import type { AuditContext, TimedAccess } from './entry.ts'
import type { AuditLog } from './log.ts'
import { type LaneReceipt, MAX_ACTIONS } from './submission.ts'

/** Not exported as a value: nobody outside this file can make one. */
class Receipt {
  declare private readonly nominal: undefined
  /** How many records the request left. */
  readonly count: number
  /**
   * `lane.sequence.hash` of the last record in each lane that the request used, with a space between; most often one. The form
   * that `gateway/audit/verify/receipt.ts` reads.
   * Undefined when nothing was disclosed: who was told nothing has nothing to prove, and an answer that says "not found" must
   * not differ from another one by it (P5).
   */
  readonly text: string | undefined

  constructor(count: number, text: string | undefined) {
    this.count = count
    this.text = text
  }
}

/** An answer that carries PHI can be built only with this, and only `Trail.settle` gives it (P2). */
export type { Receipt as AuditReceipt }

/** What fills a transaction: anything less would spread a request over more lanes and receipts without being stored sooner. */
const BATCH = MAX_ACTIONS

/**
 * The accesses of one request.
 *
 * Records leave as soon as a batch is full, while later values are still being opened, so that the audit costs the answer
 * little time; `settle` waits for all of them. A write that failed makes `settle` fail, and with it the answer:
 * over-reporting an access is right, under-reporting never is.
 */
export class Trail {
  readonly #log: AuditLog
  readonly #context: AuditContext
  readonly #now: Clock
  readonly #deadline: Deadline
  readonly #writes: Promise<readonly LaneReceipt[]>[] = []
  readonly #edges: (() => AccessRecord)[] = []
  #pending: TimedAccess[] = []
  #count = 0
  #disclosed = false

  constructor(log: AuditLog, context: AuditContext, now: Clock, deadline: Deadline) {
    this.#log = log
    this.#context = context
    this.#now = now
    this.#deadline = deadline
  }

  record(record: AccessRecord): void {
    this.#count++
    this.#disclosed ||= record.outcome === 'DISCLOSED' || record.outcome === 'MASKED'
    if (this.#pending.push({ ...record, at: this.#now() as Instant }) >= BATCH) this.#send()
  }

  /** A record whose count is known only at the end: an edge is one access however many pages the request takes of it. */
  noteAtEnd(record: () => AccessRecord): void {
    this.#edges.push(record)
  }

  /**
   * Writes items together with the record that tells of them: both are stored, or neither.
   * @throws VersionConflict when a condition of the items fails; AuditUnavailable, after which nobody knows whether they are stored
   */
  async commit(items: Parameters<AuditLog['commit']>[1], record: AccessRecord): Promise<void> {
    const at = this.#now()
    const receipt = await this.#log.commit(this.#context, items, [{ ...record, at: at as Instant }], at + this.#deadline.left)
    this.#count++
    // Writes get a receipt too.
    this.#disclosed = true
    this.#writes.push(Promise.resolve([receipt]))
  }

  /** @throws AuditUnavailable */
  async settle(): Promise<Receipt> {
    for (const record of this.#edges.splice(0)) this.record(record())
    if (this.#pending.length > 0) this.#send()
    const receipts = (await Promise.all(this.#writes)).flat()
    return new Receipt(this.#count, this.#disclosed ? lastOfEachLane(receipts) : undefined)
  }

  #send(): void {
    // as a moment of the wall clock: the log has clocks of its own, and may be somebody else's
    const write = this.#log.append(this.#context, this.#pending, this.#now() + this.#deadline.left)
    // settle() reports the failure; without this a rejection between two ticks would end the process
    write.catch(() => undefined)
    this.#writes.push(write)
    this.#pending = []
  }
}

function lastOfEachLane(receipts: readonly LaneReceipt[]): string {
  const last = new Map<string, LaneReceipt>()
  for (const receipt of receipts) {
    if (receipt.sequence > (last.get(receipt.lane)?.sequence ?? 0)) last.set(receipt.lane, receipt)
  }
  return [...last.values()].map(({ lane, sequence, hash }) => `${lane}.${sequence}.${hash}`).join(' ')
}
