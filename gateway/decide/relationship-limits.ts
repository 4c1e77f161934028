import type { Facts } from '../model/decision.ts'
import type { PhiPolicy, Relationship } from '../../directives/policy.ts'

type Limited = Pick<Facts, 'limits'> & { readonly consent?: Facts['consent'] }

/**
 * Whether a relationship that holds reaches a field. One without limits reaches all of them; a limited one those of its categories
 * alone, and nothing that bears a sensitivity, of the field or of the record, unless its scope says so.
 *
 * @source 45 CFR 164.502(g)(3): a parent acts for a minor as far as the minor does not act alone
 */
export function isWithinLimits(
  relationship: Relationship,
  { category, sensitivity }: PhiPolicy,
  { limits, consent }: Limited,
): boolean {
  const scopes = limits?.get(relationship)
  if (scopes === undefined) return true
  const isLabeled = sensitivity.size > 0 || (consent?.record?.labels.size ?? 0) > 0
  return scopes.some(({ categories, labeled }) => categories.includes(category) && (labeled || !isLabeled))
}

/** Whether a relationship that holds reaches a record with its labels at all, whatever the field. */
export function isRecordWithinLimits(relationship: Relationship, { limits, consent }: Pick<Facts, 'limits' | 'consent'>): boolean {
  const scopes = limits?.get(relationship)
  if (scopes === undefined || (consent.record?.labels.size ?? 0) === 0) return true
  return scopes.some(({ labeled }) => labeled)
}
