import type { Facts } from '../model/decision.ts'
import type { PhiPolicy, Relationship } from '../../directives/policy.ts'

type Limited = Pick<Facts, 'limits'> & { readonly consent?: Facts['consent'] }

/**
 * Whether an existing relationship covers a field. A relationship without limits covers every field. A limited one covers the
 * categories of its scopes. It covers a field or record with a sensitivity only if the scope allows that.
 *
 * @source 45 CFR 164.502(g)(3): a parent acts for a minor, except for care that the minor consents to alone
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

/** Whether an existing relationship can cover any field of the record, given the labels of the record. */
export function isRecordWithinLimits(relationship: Relationship, { limits, consent }: Pick<Facts, 'limits' | 'consent'>): boolean {
  const scopes = limits?.get(relationship)
  if (scopes === undefined || (consent.record?.labels.size ?? 0) === 0) return true
  return scopes.some(({ labeled }) => labeled)
}
