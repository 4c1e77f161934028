import type { Caller, Denial, Facts, Indeterminate } from '../model/decision.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { decide } from './decide.ts'

/**
 * A value may be derived only where all that it is derived from may be read in full: a masked input would be told by it.
 * Gives what keeps the first such input back, and undefined where none is kept back or the value is not computed.
 */
export function firstRefusedInput(
  { phi, computed }: Pick<PolicyTable, 'phi' | 'computed'>,
  path: SchemaPath,
  caller: Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization'>,
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
