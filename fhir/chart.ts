import type { RecordLabel } from '../directives/policy.ts'
import type { ConsentChanges } from '../gateway/model/consent.ts'
import type { PatientId } from '../gateway/model/ids.ts'
import type { MembershipPeriod, NewRecord } from '../gateway/model/record.ts'
import type { SourceMembership, SourceResource } from '../gateway/model/source.ts'
import type { IdentifiedEntry } from './bundle.ts'
import type { MappedPatient } from './mapped-bundle.ts'
import { MembershipPeriods } from './membership.ts'
import { labeled } from './record.ts'

/** What a bundle gives about one patient, while it is read. */
export interface Chart {
  /** The patient's resource. Undefined for a patient of an earlier import. */
  readonly entry: IdentifiedEntry | undefined
  /** The place of the patient's first entry in the bundle. */
  readonly place: number
  /** The server of the patient's resource. */
  base: string | undefined
  readonly patient: PatientId
  readonly records: NewRecord[]
  /** The stays on each care team. */
  readonly stays: MembershipPeriods[]
  /** When relatives act for the patient, by FHIR identity; without periods where they do not, or do no more. */
  readonly proxies: Map<string, readonly MembershipPeriod[]>
  /** The ids of coverages that other resources hold, each taken once. */
  readonly coverages: Set<string>
}

export const newChart = (entry: IdentifiedEntry, patient: PatientId, own: NewRecord): Chart => ({
  ...emptyChart(entry.index, patient, entry.base),
  entry,
  records: [own],
})

/** The chart of a patient of an earlier import. */
export const emptyChart = (place: number, patient: PatientId, base: string | undefined): Chart => ({
  entry: undefined,
  place,
  base,
  patient,
  records: [],
  stays: [],
  proxies: new Map(),
  coverages: new Set(),
})

/** @param marks the labels that all records get */
export function patientOf(
  { entry, place, base, patient, records, stays, proxies }: Chart,
  marks: readonly RecordLabel[],
  consents: ConsentChanges,
  sources: readonly SourceResource[],
): MappedPatient {
  return {
    patient,
    entry: place,
    ...(base !== undefined && { base }),
    records: records.map((record) => labeled(record, marks)),
    memberships: [
      ...(entry === undefined ? [] : [{ patient, ...selfMembership(entry) }]),
      ...MembershipPeriods.merged(stays).map((one) => ({ patient, ...one })),
      ...[...proxies]
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([fhirUser, periods]) => ({ patient, relationship: 'PROXY', fhirUser, periods }) as const),
    ],
    consents,
    sources,
  }
}

/** The patient is the subject of the own record. */
export const selfMembership = ({ id }: IdentifiedEntry): SourceMembership => ({
  relationship: 'SELF',
  fhirUser: `Patient/${id}`,
  periods: [{}],
})
