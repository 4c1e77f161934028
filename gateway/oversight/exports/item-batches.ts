import type { AuditEntry } from '../../audit/entry.ts'
import type { RecordedAccess } from '../recorded-access.ts'

/** A record for an export. The audit tables do not have the hashes of the chain. */
export type ExportRecord = RecordedAccess & Partial<Pick<AuditEntry, 'prev' | 'hash'>>

/** The records of one item, in the order of `index`. */
export type ExportItem = readonly ExportRecord[]

/**
 * The items of a stream of records in which the records of an item come together. An item can begin in one batch and end in the next one.
 * The memory is that of one batch and one item.
 */
export async function* itemBatches(batches: AsyncIterable<readonly ExportRecord[]>): AsyncGenerator<readonly ExportItem[]> {
  let open: ExportRecord[] = []
  for await (const batch of batches) {
    const whole: ExportItem[] = []
    for (const entry of batch) {
      const [first] = open
      if (first !== undefined && !isSameItem(first, entry)) {
        whole.push(inOrder(open))
        open = []
      }
      open.push(entry)
    }
    if (whole.length > 0) yield whole
  }
  if (open.length > 0) yield [inOrder(open)]
}

const isSameItem = (one: ExportRecord, other: ExportRecord): boolean =>
  one.sequence === other.sequence && one.lane === other.lane && one.tenant === other.tenant

const inOrder = (entries: readonly ExportRecord[]): ExportItem => entries.toSorted((one, other) => one.index - other.index)
