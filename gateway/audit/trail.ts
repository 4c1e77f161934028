import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { AccessRecord, OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import { VersionConflict } from '../model/failures.ts'
import type { Instant } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import type { AuditContext, TimedAccess } from './entry.ts'
import type { DraftParts, ItemDraft, Placement } from './item-draft.ts'
import { ItemPacker } from './item-packer.ts'
import type { AuditLog } from './log.ts'
import { receiptText } from './receipt.ts'
import type { ItemReceipt } from './submission.ts'

/** Not exported as a value: no code outside this file can make one. */
class Receipt {
  declare private readonly nominal: undefined
  /** How many records the request left. */
  readonly count: number
  /**
   * The proof for the caller, `docs/audit-log.md`, section "The receipt". Undefined if the operation selects no field that leaves a
   * record: that follows from its text, never from an outcome (P5).
   */
  readonly text: string | undefined

  constructor(count: number, text: string | undefined) {
    this.count = count
    this.text = text
  }
}

/** An answer that carries PHI can be built only with this, and only `Trail.settle` gives it (P2). */
export type { Receipt as AuditReceipt }

interface TrailParts {
  readonly log: AuditLog
  readonly context: AuditContext
  readonly now: Clock
  readonly deadline: Deadline
  /** The roots of the operation, except introspection. */
  readonly roots: readonly SchemaPath[]
  /** Whether the operation may lead to records that are left out of its answer. */
  readonly leftOut: DraftParts['leftOut']
  /** The source of records by type, for the types that are not in the gateway's own store. */
  readonly origins: ReadonlyMap<TypeName, string>
}

/**
 * The accesses of one request.
 *
 * An item leaves as soon as it is full; the others leave at the end, and `settle` waits for all of them. If a write fails, `settle`
 * fails, and with it the answer: the log may report more accesses than took place, but never fewer.
 */
export class Trail {
  readonly #parts: TrailParts
  readonly #packer: ItemPacker
  readonly #writes: Promise<readonly ItemReceipt[]>[] = []
  readonly #edges: (() => AccessRecord)[] = []
  #count = 0
  /** The reason that nothing of the answer leaves. */
  #withheld: OutcomeReason | undefined

  constructor(parts: TrailParts) {
    this.#parts = parts
    this.#packer = new ItemPacker(parts.context, parts.leftOut)
  }

  record(record: AccessRecord, placement?: Placement): void {
    this.#count++
    const origin = this.#originOf(record, placement)
    const timed = { ...record, at: this.#parts.now() as Instant, ...(origin !== undefined && { origin }) }
    const full = this.#packer.add(this.#withheld === undefined ? timed : withheld(timed, this.#withheld), placement)
    if (full !== undefined) this.#send([full])
  }

  /**
   * Records that nothing of the answer leaves: disclosures become UNAVAILABLE with this reason. An item that left before stays, and the
   * log then reports more than left.
   */
  withhold(reason: OutcomeReason): void {
    this.#withheld = reason
    for (const full of this.#packer.amend((record) => withheld(record, reason))) this.#send([full])
  }

  /** Records an edge, which has its count only at the end: an edge is one access, however many pages of it the request reads. */
  recordAtEnd(record: () => AccessRecord): void {
    this.#edges.push(record)
  }

  /**
   * Writes items of other tables together with the records of the write: all are stored, or none.
   *
   * @throws VersionConflict if a condition of the items fails; AuditUnavailable, after which it is unknown whether they are stored.
   *   `settle` fails then as well, because a receipt without an item that is stored after all would never hold
   */
  async commit(writes: Parameters<AuditLog['commit']>[0], ...records: readonly AccessRecord[]): Promise<void> {
    const { log, now, deadline } = this.#parts
    const at = now()
    const items = this.#packer.ofWrite(records.map((record) => ({ ...record, at: at as Instant })))
    const write = log.commit(writes, items, at + deadline.left)
    try {
      await write
      this.#count += records.length
      this.#writes.push(write)
    } catch (failure) {
      if (failure instanceof VersionConflict) this.#packer.withdraw(items)
      else this.#writes.push(write)
      throw failure
    }
  }

  /** @throws AuditUnavailable */
  async settle(): Promise<Receipt> {
    for (const record of this.#edges.splice(0)) this.record(record())
    const rest = this.#packer.rest()
    if (rest.length > 0) this.#send(rest)
    const items = (await Promise.all(this.#writes)).flat()
    const { roots, context } = this.#parts
    return new Receipt(this.#count, roots.length === 0 ? undefined : receiptText(context.requestId, items))
  }

  /** A refused id and a record that is left out have no origin: the length of their item must reveal nothing (P5). */
  #originOf({ recordType }: AccessRecord, placement: Placement | undefined): string | undefined {
    if (recordType === undefined || (placement !== undefined && placement.kind !== 'WITH_PATIENT')) return undefined
    return this.#parts.origins.get(recordType)
  }

  #send(items: readonly ItemDraft[]): void {
    const { log, now, deadline } = this.#parts
    // as a time of the wall clock: the log has clocks of its own
    const write = log.append(items, now() + deadline.left)
    // settle() reports the failure; without a handler, a rejection between two ticks would end the process
    write.catch(() => undefined)
    this.#writes.push(write)
  }
}

/** The record of a value that was opened and did not leave. */
function withheld(record: TimedAccess, reason: OutcomeReason): TimedAccess {
  if (record.outcome !== 'DISCLOSED' && record.outcome !== 'MASKED') return record
  const changed: { -readonly [Member in keyof TimedAccess]: TimedAccess[Member] } = { ...record, outcome: 'UNAVAILABLE', reason }
  delete changed.view
  delete changed.count
  return changed
}
