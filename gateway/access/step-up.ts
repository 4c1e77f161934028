import type { Caller } from '../model/decision.ts'
import type { Coordinate } from '../../directives/coordinates.ts'
import type { Instant } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'

/**
 * Roots of an operation that ask for a recent sign-in which the caller has not. One that the caller may not call at all is not
 * among them: no sign-in would help, and its rule says so.
 *
 * @param within milliseconds
 * @source RFC 9470
 */
export function rootsToStepUp(
  policy: PolicyTable,
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
