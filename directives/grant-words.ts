import { permitsChange } from './actions.ts'
import type { Action, Grant } from './policy.ts'
import { inOrder } from './lock.ts'

/** A grant as one line of text: `PHYSICIAN or NURSE, for TREAT or ETREAT, with relationship CARE_TEAM, may READ it as FULL`. */
export function grantInWords({ roles, purposes, relationship, actions, view, breakGlass }: Grant): string {
  // a change has no view
  const what = `may ${[...actions].join(' or ')} it${permitsChange({ actions }) ? '' : ` as ${view}`}`
  const acceptsBreakGlass =
    breakGlass && relationship === 'CARE_TEAM' && purposes.has('TREAT') && actions.has('READ' satisfies Action)
  return [
    either([...roles]),
    `for ${either(inOrder(purposes))}`,
    `with relationship ${relationship}`,
    acceptsBreakGlass ? `${what}; break-glass can replace the relationship` : what,
  ].join(', ')
}

const either = (names: readonly string[]): string => names.join(' or ')
