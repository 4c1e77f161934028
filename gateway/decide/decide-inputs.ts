import type { Caller, Denial, Facts, Indeterminate } from '../model/decision.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { decide } from './decide.ts'

/**
 * Returns the refusal of the first input of a computed value that the caller may not read in full. Returns undefined if the caller
 * may read all inputs in full, or if the value is not computed. A computed value would reveal a masked input.
 */
export function firstRefusedInput(
  { phi, computed }: Pick<PolicyTable, 'phi' | 'computed'>,
  path: SchemaPath,
  caller: Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization' | 'contract'>,
  facts: Facts,
  now: Instant,
): Denial | Indeterminate | undefined {
  for (const input of computed.get(path) ?? []) {
    const decision = decide(phi.get(input), caller, facts, now)
    if (decision.outcome === 'DENIED' || decision.outcome === 'INDETERMINATE') return decision
    if (decision.outcome === 'MASKED') return { outcome: 'DENIED', reason: 'ROLE', rule: decision.rule, breakGlass: false }
  }
  return undefined
}
