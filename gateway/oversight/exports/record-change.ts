import { createHash } from 'node:crypto'
import type { ExportItem, ExportRecord } from './item-batches.ts'

/** A written version of a record in the chart of a patient, as one item of the log has it. */
export interface RecordChange {
  /** 32 hex digits, derived from the address of the first record. Stable for every export of the same records. */
  readonly id: string
  readonly action: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly recordType: string
  readonly recordId: string
  /** The version that the change made: of a retraction, a last version without values. An import that removes a record makes none. */
  readonly version: number
  /** The version that the change replaced. Undefined if it replaced none. */
  readonly formerVersion: number | undefined
  /** The paths that were written, sorted. Empty if the log names the record alone. */
  readonly paths: readonly string[]
  /** Whether a grant of the policy permitted the change. An import has none. */
  readonly isDecided: boolean
  /** The first record. It has the circumstances that all records of the item share. */
  readonly first: ExportRecord
}

const ACTIONS: ReadonlySet<string> = new Set(['CREATE', 'UPDATE', 'DELETE'] satisfies RecordChange['action'][])

/**
 * The changes of an item, in the order of their first record. A change of consents, memberships, grants or sessions makes no version of a
 * record, and is none.
 */
export function recordChanges(item: ExportItem): readonly RecordChange[] {
  const written = item.filter((entry) => entry.outcome === 'WRITTEN' && ACTIONS.has(entry.action) && isOfChart(entry))
  const groups = Map.groupBy(written, ({ requestId, patient, recordType, recordId, recordVersion, action }) =>
    JSON.stringify([requestId, patient, recordType, recordId, recordVersion, action]),
  )
  return [...groups.values()].flatMap((entries) => {
    const [first] = entries
    if (first?.recordType === undefined || first.recordId === undefined || first.recordVersion === undefined) return []
    const { recordType, recordId, recordVersion: version } = first
    // safe: the filter admits no other action
    const action = first.action as RecordChange['action']
    const paths = entries.flatMap((entry) => entry.paths ?? (entry.path === recordType ? [] : [entry.path]))
    const isDecided = entries.some(({ rule }) => rule !== undefined)
    const isNext = action === 'UPDATE' || (action === 'DELETE' && isDecided)
    return [
      {
        id: changeId(first),
        action,
        recordType,
        recordId,
        version,
        formerVersion: isNext && version > 1 ? version - 1 : undefined,
        paths: [...new Set(paths)].toSorted(),
        isDecided,
        first,
      },
    ]
  })
}

const isOfChart = ({ patient, recordType, recordId, recordVersion }: ExportRecord): boolean =>
  patient !== undefined && recordType !== undefined && recordId !== undefined && recordVersion !== undefined

function changeId({ tenant, lane, sequence, index }: ExportRecord): string {
  const address = `${lane}/${String(sequence)}/${String(index)}`
  return createHash('sha256').update(`phi-gateway/provenance/v1\n${tenant}\n${address}`).digest('hex').slice(0, 32)
}
