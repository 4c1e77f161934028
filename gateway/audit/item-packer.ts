import type { AuditContext, TimedAccess } from './entry.ts'
import { type DraftParts, ItemDraft, type Placement } from './item-draft.ts'
import { contextBytes } from './item-encoder.ts'
import { userAgentOf } from './user-agents.ts'

const WITH_PATIENT: Placement = { kind: 'WITH_PATIENT' }

/**
 * Packs the records of one request into items: one for each patient, more where an item is full.
 *
 * Items are numbered in the order in which they are sent. The last one states how many there are, so that a request that a crash
 * cut off differs from a whole one.
 */
export class ItemPacker {
  readonly #parts: DraftParts
  readonly #open = new Map<string, ItemDraft>()
  #sent = 0
  /** Numbers below the last one that were given back. */
  readonly #free: number[] = []
  /** All records, each with its item. */
  readonly #added: { readonly record: TimedAccess; readonly placement: Placement; readonly draft: ItemDraft }[] = []
  readonly #handedOut = new WeakSet<ItemDraft>()

  constructor(context: AuditContext, leftOut: DraftParts['leftOut'] = 'NEVER') {
    const userAgent = context.userAgent === undefined ? undefined : userAgentOf(context.userAgent)
    this.#parts = { context, contextBytes: contextBytes(context), userAgent, leftOut }
  }

  /** @returns an item that is full and can be sent */
  add(record: TimedAccess, placement: Placement = WITH_PATIENT): ItemDraft | undefined {
    const patient = record.patient ?? ''
    const key = placement.kind === 'REFUSED' ? `REFUSED ${placement.id}\n${patient}` : `PATIENT ${patient}`
    const open = this.#open.get(key)
    // a full item waits for another record of its patient: one item of a request is left for the number of all
    const full = open?.isFull === true ? open : undefined
    const draft = open === undefined || full !== undefined ? this.#draft(record, placement.kind) : open
    draft.add(record, placement.kind)
    this.#added.push({ record, placement, draft })
    this.#open.set(key, draft)
    return full && this.#handOut(full)
  }

  /**
   * Changes records that were added. If the item of a changed record was handed out, the changed record is added beside it.
   *
   * @param change returns the record itself if nothing changes
   * @returns items that are full and can be sent
   */
  amend(change: (record: TimedAccess) => TimedAccess): ItemDraft[] {
    this.#open.clear()
    return this.#added.splice(0).flatMap(({ record, placement, draft }) => {
      const changed = change(record)
      return changed === record && this.#handedOut.has(draft) ? [] : (this.add(changed, placement) ?? [])
    })
  }

  /** Items that are stored together with a write. The request may end with them, so the last one states their number. */
  ofWrite(records: readonly TimedAccess[]): ItemDraft[] {
    const packer = new ItemPacker(this.#parts.context)
    const full = records.flatMap((record) => packer.add(record) ?? [])
    const items = [...full, ...packer.#open.values()].map((draft) => this.#handOut(draft))
    return withNumber(items, this.#sent)
  }

  /** Takes back the numbers of items that were stored nowhere: a gap in the numbers means a request that was cut off. */
  withdraw(items: readonly ItemDraft[]): void {
    for (const { part } of items.toReversed()) {
      if (part === this.#sent) this.#sent--
      else this.#free.push(part)
    }
  }

  /** All remaining items. Call it when the request records nothing more. */
  rest(): ItemDraft[] {
    const items = [...this.#open.values()].map((draft) => this.#handOut(draft))
    this.#open.clear()
    return withNumber(items, this.#sent)
  }

  #draft(record: TimedAccess, placement: Placement['kind']): ItemDraft {
    return new ItemDraft(this.#parts, record, placement)
  }

  #handOut(draft: ItemDraft): ItemDraft {
    this.#handedOut.add(draft)
    draft.part = this.#free.pop() ?? ++this.#sent
    return draft
  }
}

function withNumber(items: ItemDraft[], parts: number): ItemDraft[] {
  const last = items.at(-1)
  if (last !== undefined) last.parts = parts
  return items
}
