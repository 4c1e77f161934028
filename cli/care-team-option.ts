import { InvalidArgumentError } from 'commander'
import type { MappedPatient } from '../fhir/mapped-bundle.ts'

/** Patients by their id in the source: `Patient/*`, `Patient/12*`. */
export type PatientPattern = RegExp

const PATTERN = /^patient\/([A-Za-z0-9\-.*]{1,64})$/i

/**
 * Parses the value of one `--care-team-of` and appends it to those before it.
 *
 * @throws InvalidArgumentError with the expected form
 */
export function patientPattern(text: string, before: readonly PatientPattern[]): readonly PatientPattern[] {
  const [, id] = PATTERN.exec(text) ?? []
  if (id === undefined) throw new InvalidArgumentError('Use Patient/ID. In ID, * matches any characters: Patient/*.')
  const source = id.replaceAll('.', '\\.').replace(/\*+/g, '.*')
  return [...before, new RegExp(`^Patient/${source}$`)]
}

/** Makes users members of the care team of the patients that a pattern matches. Undefined if none matches. */
export function withMembers(
  patient: MappedPatient,
  patterns: readonly PatientPattern[],
  users: readonly string[],
): MappedPatient | undefined {
  const { memberships } = patient
  const isMeant = memberships.some(
    ({ relationship, fhirUser }) => relationship === 'SELF' && patterns.some((pattern) => pattern.test(fhirUser)),
  )
  if (!isMeant) return undefined
  const others = memberships.filter(({ relationship, fhirUser }) => relationship !== 'CARE_TEAM' || !users.includes(fhirUser))
  // without a limit: it includes every period of the care teams
  const added = users.map((fhirUser) => ({ patient: patient.patient, relationship: 'CARE_TEAM', fhirUser, periods: [{}] }) as const)
  const sources = patient.sources.map((source) =>
    source.type === 'Patient' ? { ...source, memberships: [...source.memberships, ...added] } : source,
  )
  return { ...patient, memberships: [...others, ...added], sources }
}

/** Whether one of the users is on the care team of a patient at a time, in milliseconds since the epoch. */
export function isReadableBy({ memberships }: MappedPatient, users: ReadonlySet<string>, now: number): boolean {
  return memberships.some(
    ({ relationship, fhirUser, periods }) =>
      relationship === 'CARE_TEAM' &&
      users.has(fhirUser) &&
      periods.some(
        ({ since, until }) => (since === undefined || Date.parse(since) <= now) && (until === undefined || Date.parse(until) > now),
      ),
  )
}
