import type { Caller } from '../model/decision.ts'
import type { Coordinate } from '../../directives/coordinates.ts'
import type { Instant } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'

/**
 * Returns the roots of an operation that need a more recent sign-in. Roots that the caller may not call are absent: a new sign-in
 * would not help, and their own rule denies them.
 *
 * @param within milliseconds
 * @source RFC 9470
 */
export function rootsToStepUp(
  policy: Pick<PolicyTable, 'calls'>,
  roots: ReadonlySet<Coordinate>,
  caller: Caller,
  now: Instant,
  within: number,
): Coordinate[] {
  if (caller.authTime !== undefined && now - caller.authTime <= within) return []
  return [...roots].filter((root) => {
    const call = policy.calls.get(root)
    return call?.stepUp === true && [...caller.roles].some((role) => call.roles.has(role))
  })
}
