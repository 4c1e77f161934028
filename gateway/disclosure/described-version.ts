import type { OutcomeReason } from '../model/access-record.ts'
import type { RecordMetadata } from '../model/record.ts'
import type { OpenRecord } from '../store/record-source.ts'
import { changedPaths } from './changed-paths.ts'
import type { HistoryEntry } from './history-entry.ts'
import type { OperationRules, RequestIdentity } from './request-parts.ts'
import type { RecordState } from './record-view.ts'

type DescribingParts = Pick<RequestIdentity, 'caller' | 'now'> & Pick<OperationRules, 'policy'>

/** A version that the caller may know of. `opened` is undefined for the version in force, which the record loader reads. */
export interface ShownVersion {
  readonly version: number
  readonly state?: Omit<RecordState, 'outcomes'>
  readonly opened?: OpenRecord
  /** Why the version cannot be given. */
  readonly failure?: OutcomeReason
}

/**
 * The entry of a version, or the reason for which it cannot be given.
 *
 * @param before the next older version that the caller may know of
 */
export function describedVersion(
  parts: DescribingParts,
  { version, state, failure }: ShownVersion,
  before: ShownVersion | undefined,
): Pick<HistoryEntry, 'version' | 'at' | 'userId' | 'action' | 'changedPaths'> | OutcomeReason {
  if (failure !== undefined || state === undefined) return failure ?? 'STORE'
  // what a version changed is not known without the one before
  if (before?.failure !== undefined) return before.failure
  const paths = changedPaths(parts, state, before?.state)
  if (paths === 'UNKNOWN') return 'STORE'
  const { change, written } = state.metadata
  const at = change?.at ?? written
  // an import of an earlier release wrote no time, and none is made up
  if (at === undefined) return 'VERSION'
  const action = change?.retracted !== undefined ? 'DELETE' : version === 1 ? 'CREATE' : 'UPDATE'
  return { version, at, userId: userOf(parts, change), action, changedPaths: paths }
}

/** Patients, persons who act for them, and partners receive no ids of the workforce. */
function userOf({ caller, policy }: DescribingParts, change: RecordMetadata['change']): string | null {
  if (change === undefined) return null
  const isOutside = [...caller.roles].some((role) => {
    const kind = policy.roles.get(role)?.kind
    return kind === undefined || kind === 'PATIENT' || kind === 'PARTNER'
  })
  return isOutside && change.user !== caller.user ? null : change.user
}
