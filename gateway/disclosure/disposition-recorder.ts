import type { Placement } from '../audit/item-draft.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { lookupToken } from '../crypto/tokens.ts'
import type { AccessRecord } from '../model/access-record.ts'
import { recordKey } from '../model/ids.ts'
import { encodeNodeId } from '../model/node-id.ts'
import type { Disposition } from './record-disposition.ts'
import type { Wanted } from './record-fetch.ts'
import { leftOutAccess, where } from './record-values.ts'
import type { Recording } from './request-parts.ts'

/** The final result for a record that is not given. */
export type ExcludedRecord = Exclude<Disposition, { readonly kind: 'FOUND' | 'FAILED' }>

type RecorderParts = Pick<Recording, 'trail' | 'counter' | 'failures' | 'recorder'>

/** Whether an edge that leads here is null without an error, as if it led to a closed record. */
export const leadsNowhere = (entry: ExcludedRecord): boolean => entry.kind === 'NOT_FOUND' && entry.record === 'ABSENT'

/** Records the outcome of records as a whole. The values of a found record are recorded one by one. */
export class DispositionRecorder {
  readonly #parts: RecorderParts
  /** Hides the requested id in the audit if it leads nowhere. */
  lookup: PurposeKey<'lookup'> | undefined

  constructor(parts: RecorderParts) {
    this.#parts = parts
  }

  record(access: AccessRecord, placement?: Placement): void {
    if (access.outcome === 'UNAVAILABLE') this.#parts.counter.unavailable++
    this.#parts.trail.record(access, placement)
  }

  /** @returns the disposition, with a failure classified and reported */
  recordExcluded(wanted: Wanted, disposition: Exclude<Disposition, { readonly kind: 'FOUND' }>): ExcludedRecord {
    const { ref, paths, byId = false, edge = false } = wanted
    // the length of the audit item is the same for every refused id (P5)
    const refused = { kind: 'REFUSED', id: recordKey(ref) } as const
    switch (disposition.kind) {
      case 'FAILED':
        return this.recordExcluded(wanted, { kind: 'UNAVAILABLE', reason: this.#parts.failures.classify(disposition.failure, ref) })
      case 'UNAVAILABLE': {
        const { reason } = disposition
        for (const path of paths) this.record({ ...where(ref), path, action: 'READ', outcome: 'UNAVAILABLE', reason })
        return disposition
      }
      case 'CLOSED': {
        const { version, reason } = disposition
        if (!byId) {
          this.#parts.recorder.recordLeftOut(leftOutAccess({ ref, version, reason }))
          return disposition
        }
        const at = { ...where(ref), ...(version > 0 && { recordVersion: version }) }
        for (const path of paths) this.record({ ...at, path, action: 'READ', outcome: 'DENIED', reason }, refused)
        return disposition
      }
      // equal in number and shape, so that the two cannot be distinguished (P5)
      case 'HIDDEN':
      case 'NOT_FOUND': {
        // there is no record that the access could be of, and a closed one would add nothing to the length of the item
        if (edge && leadsNowhere(disposition)) return disposition
        if (this.lookup === undefined) return this.recordExcluded(wanted, { kind: 'UNAVAILABLE', reason: 'KEY' })
        const isHidden = disposition.kind === 'HIDDEN'
        const at = isHidden ? where(ref) : { patient: lookupToken(this.lookup, encodeNodeId(ref)) }
        for (const path of paths) {
          this.#parts.counter.denied++
          this.record({ ...at, path, action: 'READ', outcome: 'DENIED', reason: isHidden ? 'RELATIONSHIP' : 'NOT_FOUND' }, refused)
        }
        return disposition
      }
      default:
        return disposition satisfies never
    }
  }

  /** Records of a wave that was not read to its end, because the answer was too large before. */
  recordUnread({ ref, paths }: Wanted): void {
    for (const path of paths) this.record({ ...where(ref), path, action: 'READ', outcome: 'DENIED', reason: 'SIZE' })
  }
}
