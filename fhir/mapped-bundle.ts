import type { ConsentChanges } from '../gateway/model/consent.ts'
import type { PatientId, TenantId } from '../gateway/model/ids.ts'
import type { MinorsPolicy } from '../gateway/model/minors.ts'
import type { Membership, NewRecord } from '../gateway/model/record.ts'
import type { SourceResource, WithdrawnResource } from '../gateway/model/source.ts'
import type { CodeLabels } from './labels.ts'
import type { EntryOutcome } from './entry-account.ts'
import type { EntryIssue } from './mapping-issue.ts'
import type { ReplacedPatient } from './patient-links.ts'
import type { IdFor } from './record.ts'

export interface MapOptions {
  readonly tenant: TenantId
  readonly idFor: IdFor
  /** The instant of the import, ISO 8601 in UTC with milliseconds. Names and numbers that have ended by then are not current. */
  readonly now: string
  /** The FHIR identities of users, by the practitioner (`Practitioner/ID`). A user takes the place of the practitioner on care teams. */
  readonly assign: ReadonlyMap<string, readonly string[]>
  /** Whether users also take the place of the practitioners of encounters, and become members of the care team by it. */
  readonly encounterPractitioners?: boolean
  /**
   * Patients of earlier imports, by the keys of `outsidePatients`: `Patient/ID`, or `Patient?identifier=SYSTEM|VALUE`. Resources of other
   * patients outside of the bundle are faults.
   */
  readonly stored?: ReadonlyMap<string, PatientId>
  /** The sensitivities of the schema, and the codes that make a record a sensitive one. */
  readonly labels: CodeLabels
  /** The age until which parents and guardians act for minors, and its limits. Default: `MINORS`. */
  readonly minors?: MinorsPolicy
}

export interface MappedPatient {
  readonly patient: PatientId
  /** The place of the patient's resource in the bundle, or of the first resource of a patient of an earlier import. */
  readonly entry: number
  /** The server of the patient's full URL, without the protocol. */
  readonly base?: string
  /** The patient's own record first, if the bundle has it. */
  readonly records: readonly NewRecord[]
  readonly memberships: readonly Membership[]
  readonly consents: ConsentChanges
  /** The resources that all this follows from. A membership without a resource is an option of the import. */
  readonly sources: readonly SourceResource[]
}

export interface MappedPractitioner {
  /** The keys of `assign` that gave the places of this practitioner to users. Empty without such a user. */
  readonly assignments: readonly string[]
  readonly patients: ReadonlySet<PatientId>
}

export interface MappedBundle {
  readonly tenant: TenantId
  readonly patients: readonly MappedPatient[]
  /** Patients of earlier imports with resources in this bundle. Their own records are not here. */
  readonly stored: readonly MappedPatient[]
  /** Resources that are in no chart from now on. An earlier import may have stored what follows from them. */
  readonly withdrawn: readonly WithdrawnResource[]
  /** Patients that are closed because a consent is not understood. */
  readonly closed: ReadonlySet<PatientId>
  /** Patient records that other ones replace. */
  readonly replaced: readonly ReplacedPatient[]
  /** Resources of types that are not imported, counted by type. */
  readonly unknown: ReadonlyMap<string, number>
  /** Resources that do not hold by their own status (`Observation entered-in-error`), and reports without text, counted. */
  readonly leftOut: ReadonlyMap<string, number>
  readonly faults: readonly EntryIssue[]
  /** What became of each entry, in the order of the bundle. */
  readonly outcomes: readonly EntryOutcome[]
  /** Where each entry comes from: its index in `Bundle.entry`, then those in the bundles within. */
  readonly places: readonly (readonly number[])[]
  /** The members of care teams, by `Practitioner/ID`. */
  readonly practitioners: ReadonlyMap<string, MappedPractitioner>
}
