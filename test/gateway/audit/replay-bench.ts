import { createHash } from 'node:crypto'
import type { AuditContext, TimedAccess } from '../../../gateway/audit/entry.ts'
import { itemFacts } from '../../../gateway/audit/verify/item-facts.ts'
import type { ItemContent } from '../../../gateway/audit/verify/item-text.ts'
import { recordsOf } from '../../../gateway/audit/verify/item-text.ts'
import { LockReplay } from '../../../gateway/audit/verify/replay-item.ts'
import type { ReplayVerdict } from '../../../gateway/audit/verify/replay-verdict.ts'
import { readLock } from '../../../directives/lock-table.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import { linked } from './audit-arbitraries.ts'

/** The parsed items that the gateway's writer makes of these accesses. */
export function contentsOf(context: AuditContext, accesses: readonly TimedAccess[]): ItemContent[] {
  const packer = new ItemPacker(context)
  const full = accesses.flatMap((access) => packer.add(access) ?? [])
  return linked([...full, ...packer.rest()], 'kakjK50G.1').map(({ text }) => {
    const facts = itemFacts(text)
    if (facts === undefined) throw new Error('the writer made an item that the verifier does not read')
    return facts.content
  })
}

/** A verdict with the record that it is about. */
export interface Replayed {
  readonly verdict: ReplayVerdict
  readonly record: Readonly<Record<string, unknown>>
}

/** Replays items under a lock. */
export function replayed(lock: LockReplay, contents: readonly ItemContent[]): Replayed[] {
  return contents.flatMap((content) => {
    const records = recordsOf(JSON.stringify(content))
    const found: Replayed[] = []
    lock.item(content, (verdict, index) => found.push({ verdict, record: records[index - 1] ?? {} }))
    return found
  })
}

export const lockReplay = (lock: string): LockReplay => new LockReplay(readLock(lock))
export const digestOf = (lock: string): string => createHash('sha256').update(lock).digest('hex')

/** A verdict as text: `REPLAYED`, `DEPENDS CONSENT`, `NOT_ALLOWED VIEW`. */
export function verdictText(verdict: ReplayVerdict): string {
  switch (verdict.kind) {
    case 'REPLAYED':
      return verdict.kind
    case 'DEPENDS':
      return `DEPENDS ${verdict.on}`
    case 'NOT_ALLOWED':
      return `NOT_ALLOWED ${verdict.fault}`
    default:
      return verdict satisfies never
  }
}
