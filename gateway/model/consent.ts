import type { Instant, RecordId } from './ids.ts'
import type { PurposeOfUse, Role, Sensitivity } from '../../directives/policy.ts'

/**
 * What a patient permits or denies, as FHIR's Consent has it. What is left out does not narrow: a denial without purposes is one
 * for every purpose. A permission speaks of the sensitivities that it names and of no other: nobody signs away what is not
 * written there (42 CFR 2.31(a)(3), 45 CFR 164.508(c)(1)(i)).
 */
export interface Consent {
  readonly id: string
  readonly effect: 'PERMIT' | 'DENY'
  readonly labels?: readonly Sensitivity[]
  /** The FHIR identity of a person or organization that it speaks of: `Practitioner/123`. */
  readonly actor?: string
  readonly roles?: readonly Role[]
  readonly purposes?: readonly PurposeOfUse[]
  /** The records that it speaks of, and what belongs to one of them as to its encounter (164.522(a)(1)(vi)). */
  readonly records?: readonly RecordId[]
  readonly since?: Instant
  /** Exclusive. */
  readonly until?: Instant
}

/** What a patient says anew, and what no longer holds. What is not named stays as it was said. */
export interface ConsentChanges {
  /** `X.1` and `X.2` are parts of one statement `X`; all that stood of it before is replaced. */
  readonly given: readonly Consent[]
  /** The ids of statements. */
  readonly withdrawn: readonly string[]
}

/** A record, as far as consents tell records apart. */
export interface ConsentSubject {
  readonly id: RecordId
  readonly encounter?: RecordId
  /** The sensitivities that follow from its codes. */
  readonly labels: ReadonlySet<Sensitivity>
}
