import type { PatientId } from '../gateway/model/ids.ts'
import type { Entry } from './bundle.ts'
import type { CareTeamReading } from './care-team.ts'
import type { Chart } from './chart.ts'
import { participantsOf } from './encounter-members.ts'
import type { EntrySources } from './entry-sources.ts'
import type { MapOptions, MappedPractitioner } from './mapped-bundle.ts'
import { MembershipPeriods } from './membership.ts'
import type { References } from './references.ts'

type Options = Pick<MapOptions, 'assign' | 'encounterPractitioners'>

/** The members of care teams in a bundle, and the practitioners that users take the place of. */
export class BundleMembers {
  readonly #options: Options
  readonly #references: References
  readonly #sources: EntrySources
  readonly #practitioners = new Map<string, { assignments: readonly string[]; patients: Set<PatientId> }>()

  constructor(options: Options, references: References, sources: EntrySources) {
    this.#options = options
    this.#references = references
    this.#sources = sources
  }

  /** By `Practitioner/ID`. */
  get practitioners(): ReadonlyMap<string, MappedPractitioner> {
    return this.#practitioners
  }

  /** Adds the members that a care team gives. */
  team(entry: Entry, chart: Chart, { stays, practitioners }: Pick<CareTeamReading, 'stays' | 'practitioners'>): void {
    const own = new MembershipPeriods()
    for (const { fhirUser, period } of stays) own.add(fhirUser, period)
    this.#add(entry, chart, own)
    for (const { key, assignments } of practitioners) this.#practitioner(key, assignments, chart.patient)
  }

  /** Adds the members that an encounter gives, if the options ask for them. */
  encounter(entry: Entry, chart: Chart): void {
    const { assign, encounterPractitioners } = this.#options
    if (encounterPractitioners !== true) return
    const own = new MembershipPeriods()
    for (const { practitioner, period } of participantsOf(entry, this.#references)) {
      const assignments = practitioner.spellings.filter((spelling) => assign.has(spelling))
      // only assigned users: an encounter by itself opens no record
      if (assignments.length > 0) this.#practitioner(practitioner.key, assignments, chart.patient)
      for (const fhirUser of assignments.flatMap((one) => assign.get(one) ?? [])) own.add(fhirUser, period)
    }
    this.#add(entry, chart, own)
  }

  #add(entry: Entry, { patient, stays }: Chart, own: MembershipPeriods): void {
    stays.push(own)
    this.#sources.of(entry, patient).memberships.push(...own.memberships())
  }

  #practitioner(key: string, assignments: readonly string[], patient: PatientId): void {
    const known = this.#practitioners.get(key) ?? { assignments, patients: new Set() }
    this.#practitioners.set(key, known)
    known.patients.add(patient)
  }
}
