import type { Action, Grant } from './policy.ts'
import { inOrder } from './lock.ts'

/** A grant for people, on one line: `PHYSICIAN or NURSE, for TREAT or ETREAT, standing in CARE_TEAM, may READ it as FULL`. */
export function grantInWords({ roles, purposes, relationship, actions, view, breakGlass }: Grant): string {
  const what = `may ${[...actions].join(' or ')} it as ${view}`
  const emergency = breakGlass && relationship === 'CARE_TEAM' && purposes.has('TREAT') && actions.has('READ' satisfies Action)
  return [
    either([...roles]),
    `for ${either(inOrder(purposes))}`,
    `standing in ${relationship}`,
    emergency ? `${what}; an emergency may stand in for the relationship` : what,
  ].join(', ')
}

const either = (names: readonly string[]): string => names.join(' or ')
