import type { Instant, RecordId } from './ids.ts'
import type { PurposeOfUse, RecordLabel, Role, Sensitivity } from '../../directives/policy.ts'

/**
 * A permission or a denial by a patient, as in FHIR's Consent. A missing property does not narrow it: a denial without purposes
 * covers every purpose. A permission covers only the sensitivities that it names, because a signature covers only what the
 * consent describes (42 CFR 2.31(a)(3), 45 CFR 164.508(c)(1)(i)).
 */
export interface Consent {
  readonly id: string
  readonly effect: 'PERMIT' | 'DENY'
  readonly labels?: readonly Sensitivity[]
  /** The FHIR identity of the caller or organization that it applies to: `Practitioner/123`. */
  readonly actor?: string
  readonly roles?: readonly Role[]
  readonly purposes?: readonly PurposeOfUse[]
  /** The records that it applies to. An encounter includes the records that belong to it (164.522(a)(1)(vi)). */
  readonly records?: readonly RecordId[]
  readonly since?: Instant
  /** Exclusive. */
  readonly until?: Instant
  /**
   * Set for a denial that the import wrote because it did not understand the patient's statement. Break-glass opens what it
   * closes, because such a denial may close far more than the patient asked for.
   */
  readonly breakGlass?: true
}

/** New and withdrawn consents of a patient. All other consents stay in force. */
export interface ConsentChanges {
  /** Consents with the ids `X.1` and `X.2` are parts of one statement `X`. They replace all earlier parts of `X`. */
  readonly given: readonly Consent[]
  /** The ids of statements. */
  readonly withdrawn: readonly string[]
}

/** The properties of a record that a consent can refer to. */
export interface ConsentSubject {
  readonly id: RecordId
  readonly encounter?: RecordId
  /** The sensitivities that follow from its codes, and the marks of its source. */
  readonly labels: ReadonlySet<RecordLabel>
}
