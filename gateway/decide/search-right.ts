import type { Caller, Decision, Denial, Facts, Permit, Indeterminate } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { PhiPolicy } from '../../directives/policy.ts'
import { refuseByContract } from './contract.ts'
import { decide, refuseBeforeRecord } from './decide.ts'

type Subject = Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization' | 'study' | 'contract'>

/**
 * Whether a caller may find this patient by a field. An argument is a read, so the caller needs READ or SEARCH with the view FULL
 * (P11). A caller that may read only the last four digits may not search, because each guess would reveal more of the number.
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
 * Checks contract, role and purpose before any lookup. Returns the refusal, or undefined if the caller could find some patient by the field.
 */
export function searchRefused(policy: PhiPolicy | undefined, caller: Subject, now: Instant): Denial | undefined {
  if (policy === undefined) return refuseBeforeRecord(policy, caller)
  // consents and labels are left out below, and a contract excludes labels too
  const beyond = refuseByContract(policy, caller, now)
  if (beyond !== undefined) return beyond
  // the facts about a patient that favor the caller most
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
