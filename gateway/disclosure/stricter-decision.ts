import { VIEWS } from '../../directives/view-rules.ts'
import type { PhiPolicy } from '../../directives/policy.ts'
import { decide } from '../decide/decide.ts'
import type { Decision } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { RecordState } from './record-view.ts'

/** Decides a field under all facts of a record in this request. For an earlier version, each of them must permit, and the stricter view wins. */
export function decideInState(
  field: PhiPolicy | undefined,
  caller: Parameters<typeof decide>[1],
  { facts, also }: Pick<RecordState, 'facts' | 'also'>,
  now: Instant,
): Decision {
  const decision = decide(field, caller, facts, now)
  return also === undefined ? decision : stricter(decision, decide(field, caller, also, now))
}

/** A denial is stricter than an unknown result, and both are stricter than any permit. Lint rejects views of equal rank on one field. */
function stricter(one: Decision, other: Decision): Decision {
  return strictness(other) > strictness(one) ? other : one
}

const DENIAL = 100
const UNKNOWN = 99

function strictness(decision: Decision): number {
  if (decision.outcome === 'DENIED') return DENIAL
  if (decision.outcome === 'INDETERMINATE') return UNKNOWN
  return -VIEWS[decision.view].rank
}
