import type { SchemaPath } from '../../directives/coordinates.ts'
import type { OperationRules, RequestIdentity } from './request-parts.ts'
import type { RecordState } from './record-view.ts'
import { decideInState } from './stricter-decision.ts'

/** A version with what its values are decided with. */
type Version = Pick<RecordState, 'facts' | 'also' | 'seals'>

/**
 * The values that differ between two versions, by their seals: no value is opened. Only values that the caller may read in full in both
 * are named. Otherwise the list would tell that a hidden or masked value changed.
 *
 * @param before the next older version that the caller may know of; undefined if there is none
 * @returns UNKNOWN if a service failed, or if the versions cannot be compared
 */
export function changedPaths(
  { caller, now, policy }: Pick<RequestIdentity, 'caller' | 'now'> & Pick<OperationRules, 'policy'>,
  version: Version,
  before: Version | undefined,
): readonly SchemaPath[] | 'UNKNOWN' {
  if (version.seals === undefined || (before !== undefined && before.seals === undefined)) return 'UNKNOWN'
  const present = version.seals()
  const former = before?.seals?.() ?? new Map<SchemaPath, string>()
  const changed = [...new Set([...present.keys(), ...former.keys()])].filter((path) => present.get(path) !== former.get(path))
  const readable: SchemaPath[] = []
  for (const path of changed) {
    const decisions = [version, ...(before === undefined ? [] : [before])].map((one) =>
      decideInState(policy.phi.get(path), caller, one, now),
    )
    if (decisions.some(({ outcome }) => outcome === 'DENIED' || outcome === 'MASKED')) continue
    if (decisions.some(({ outcome }) => outcome === 'INDETERMINATE')) return 'UNKNOWN'
    readable.push(path)
  }
  return readable.toSorted()
}
