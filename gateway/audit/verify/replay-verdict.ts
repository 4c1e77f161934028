/** The reason that the policy would not have allowed a record. `docs/checkpoints.md`, section "Policy replay", explains each. */
export type ReplayFault =
  /** The outcome is none that a gateway records, or has a reason, or lacks a member. */
  | 'FORM'
  | 'PATH'
  | 'RULE'
  | 'ACTION'
  | 'VIEW'
  | 'ROLE'
  | 'PURPOSE'
  | 'MFA'
  | 'STEP_UP'
  | 'STUDY'
  | 'BREAK_GLASS'
  | 'RELATIONSHIP'
  | 'LIMITS'
  | 'CONSENT'
  | 'INPUT'

/** The fact that no record has, and that the outcome depends on. */
export type ReplayDependence =
  /** A consent opened the value. */
  | 'CONSENT'
  /** The limits of the relationship close records with a label. */
  | 'LABELS'
  /** The record shows only that a patient or record exists, and not by which relationship. */
  | 'EXISTENCE'
  /** Another relationship opens an input of the computed value. */
  | 'INPUT'
  | 'STEP_UP'
  | 'CONTRACT'
  /** The policy lock is missing or unreadable. */
  | 'LOCK'

export type ReplayVerdict =
  /** The lock gives this outcome for the facts of the record. */
  | { readonly kind: 'REPLAYED' }
  | { readonly kind: 'DEPENDS'; readonly on: ReplayDependence }
  | { readonly kind: 'NOT_ALLOWED'; readonly fault: ReplayFault }

export const REPLAYED: ReplayVerdict = { kind: 'REPLAYED' }
export const dependsOn = (on: ReplayDependence): ReplayVerdict => ({ kind: 'DEPENDS', on })
export const notAllowed = (fault: ReplayFault): ReplayVerdict => ({ kind: 'NOT_ALLOWED', fault })
