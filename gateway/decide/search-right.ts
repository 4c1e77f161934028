import type { Caller, Decision, Denial, Facts, Permit, Indeterminate } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { PhiPolicy } from '../../directives/policy.ts'
import { decide, refuseBeforeRecord } from './decide.ts'

type Subject = Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization'>

/**
 * Whether a caller may find this patient by a field: an argument is a read, so that it needs FULL READ or SEARCH (P11). Who
 * sees the last four digits of a number may not search by it, for each guess would tell more of it.
 */
export function maySearch(
  policy: PhiPolicy | undefined,
  caller: Subject,
  facts: Facts,
  now: Instant,
): Permit | Denial | Indeterminate {
  const read = decide(policy, caller, facts, now)
  if (read.outcome === 'GRANTED') return read
  const search = decide(policy, caller, facts, now, 'SEARCH')
  if (search.outcome === 'GRANTED') return search
  const open = [read, search].find(({ outcome }) => outcome === 'INDETERMINATE')
  return open ?? asDenial(read)
}

/**
 * What role and purpose alone say of searching by a field: undefined when some patient could be found by it, else the refusal,
 * before anything is looked up.
 */
export function searchRefused(policy: PhiPolicy | undefined, caller: Subject, now: Instant): Denial | undefined {
  if (policy === undefined) return refuseBeforeRecord(policy, caller)
  // the most that could be known of a patient in favor of the caller
  const facts: Facts = {
    relationships: new Set(policy.grants.map(({ relationship }) => relationship)),
    breakGlass: { grant: '', until: Number.MAX_SAFE_INTEGER as Instant },
    consent: { rules: new Map(), given: [] },
  }
  const best = maySearch({ ...policy, sensitivity: new Set() }, caller, facts, now)
  return best.outcome === 'DENIED' ? best : undefined
}

function asDenial(read: Decision): Denial {
  if (read.outcome === 'DENIED') return read
  return { outcome: 'DENIED', reason: 'ROLE', rule: read.rule, breakGlass: false }
}
