import type { AuditContext } from '../../gateway/audit/entry.ts'
import type { ItemDraft } from '../../gateway/audit/item-draft.ts'
import { CONTEXT } from '../../gateway/audit/verify/item-members.ts'
import { recordsOf } from '../../gateway/audit/verify/item-text.ts'
import type { AccessRecord } from '../../gateway/model/access-record.ts'

/** The accesses of items as a reader of the log finds them, without the context of the request. Encodes each item once. */
export function draftedAccesses(items: readonly ItemDraft[]): AccessRecord[] {
  return items.flatMap((item) =>
    recordsOf(item.encode({}).text).map((record) => {
      const members = Object.entries(record).filter(([name, value]) => name === 'patient' || !(name in CONTEXT || value === false))
      return Object.fromEntries(members) as unknown as AccessRecord
    }),
  )
}

export const contextsOf = (items: readonly ItemDraft[]): AuditContext[] => items.map(({ context }) => context)
