import type { PatientId, TenantId } from '../vocabulary/ids.ts'
import type { Membership, NewRecord } from '../vocabulary/record.ts'
import { type Entry, type IdentifiedEntry, isIdentified, readEntries } from './bundle.ts'
import { mapCareTeam } from './care-team.ts'
import { Reference } from './datatypes.ts'
import { type Fault, type Flaw, WHY, flaw, isFlaw } from './fault.ts'
import { unfit } from './inspect.ts'
import { Stays } from './membership.ts'
import { mapObservation } from './observation.ts'
import { mapPatient } from './patient.ts'
import type { IdFor } from './record.ts'
import { References } from './references.ts'

export interface MapOptions {
  readonly tenant: TenantId
  readonly idFor: IdFor
  /** The FHIR identities of users, by the practitioner (`Practitioner/ID`) whose place on care teams they take. */
  readonly assign: ReadonlyMap<string, readonly string[]>
}

export interface MappedPatient {
  readonly patient: PatientId
  /** The place of the patient's resource in the bundle. */
  readonly entry: number
  /** The patient's own record first. */
  readonly records: readonly NewRecord[]
  readonly memberships: readonly Membership[]
}

interface MappedPractitioner {
  /** The keys of `assign` that gave users this practitioner's places; none where nobody was assigned. */
  readonly assignments: readonly string[]
  readonly patients: ReadonlySet<PatientId>
}

export interface MappedBundle {
  readonly tenant: TenantId
  readonly patients: readonly MappedPatient[]
  /** Resources of types that are not imported, counted by type. */
  readonly unknown: ReadonlyMap<string, number>
  /** Resources that say of themselves that they do not hold (`Observation entered-in-error`), counted. */
  readonly leftOut: ReadonlyMap<string, number>
  readonly faults: readonly Fault[]
  /** Who stands on care teams, by `Practitioner/ID`. */
  readonly practitioners: ReadonlyMap<string, MappedPractitioner>
}

/** Statuses that say "do not rely on this": shown without its status, such a resource would read as a fact. */
const LEFT_OUT: Readonly<Record<'Observation' | 'CareTeam', readonly string[]>> = {
  Observation: ['entered-in-error', 'cancelled'],
  CareTeam: ['entered-in-error', 'proposed', 'suspended'],
}

/**
 * Maps one FHIR R4 bundle to records and memberships. Pure: the same bundle and ids give the same result.
 *
 * Never throws for what stands in the bundle. A resource that cannot be read becomes a fault with its entry, and the rest is
 * mapped; a fault holds no value of the input (P8).
 *
 * @source https://hl7.org/fhir/R4/bundle.html
 */
export function mapBundle(bundle: unknown, options: MapOptions): MappedBundle {
  const { entries, faults } = readEntries(bundle)
  const mapping = new Mapping(options, new References(entries), faults)
  const others = entries.filter((entry) => !mapping.takePatient(entry))
  for (const entry of others) mapping.take(entry)
  return mapping.result()
}

interface Chart {
  readonly entry: IdentifiedEntry
  readonly patient: PatientId
  readonly records: NewRecord[]
  readonly stays: Stays
}

class Mapping {
  readonly #options: MapOptions
  readonly #references: References
  readonly #faults: Fault[]
  readonly #charts = new Map<Entry, Chart>()
  readonly #unknown = new Map<string, number>()
  readonly #leftOut = new Map<string, number>()
  readonly #practitioners = new Map<string, { assignments: readonly string[]; patients: Set<PatientId> }>()

  constructor(options: MapOptions, references: References, faults: readonly Fault[]) {
    this.#options = options
    this.#references = references
    this.#faults = [...faults]
  }

  /** Whether the entry was a patient: patients come first, whatever their place, as the others are filed under them. */
  takePatient(entry: Entry): boolean {
    if (entry.type !== 'Patient') return false
    if (!this.#readable(entry)) return true
    const record = mapPatient(entry, this.#options.idFor)
    if (isFlaw(record)) this.#fault(entry, record)
    else this.#charts.set(entry, { entry, patient: record.ref.patient, records: [record], stays: new Stays() })
    return true
  }

  take(entry: Entry): void {
    // read where a care team or an observation leads to them
    if (entry.type === 'Practitioner') return
    if (entry.type !== 'Observation' && entry.type !== 'CareTeam') {
      count(this.#unknown, entry.type)
      return
    }
    const { status } = entry.resource
    const told = LEFT_OUT[entry.type].find((one) => one === status)
    if (told !== undefined) {
      count(this.#leftOut, `${entry.type} ${told}`)
      return
    }
    if (!this.#readable(entry)) return
    const chart = this.#chartOf(entry)
    if (!chart) this.#fault(entry, flaw(`${entry.type}.subject`, WHY.patient))
    else if (entry.type === 'Observation') this.#takeObservation(entry, chart)
    else this.#takeCareTeam(entry, chart)
  }

  result(): MappedBundle {
    return {
      tenant: this.#options.tenant,
      patients: [...this.#charts.values()].map(({ entry, patient, records, stays }) => ({
        patient,
        entry: entry.index,
        records,
        memberships: [
          { patient, relationship: 'SELF', fhirUser: `Patient/${entry.id}`, periods: [{}] },
          ...stays.memberships(patient),
        ],
      })),
      unknown: this.#unknown,
      leftOut: this.#leftOut,
      faults: this.#faults.sort((one, other) => one.entry - other.entry),
      practitioners: this.#practitioners,
    }
  }

  #takeObservation(entry: IdentifiedEntry, { patient, entry: subject, records }: Chart): void {
    const { idFor } = this.#options
    const record = mapObservation(entry, { patient, subject, references: this.#references, idFor })
    if (isFlaw(record)) this.#fault(entry, record)
    else records.push(record)
  }

  #takeCareTeam(entry: IdentifiedEntry, { patient, records, stays }: Chart): void {
    const { idFor, assign } = this.#options
    const team = mapCareTeam(entry, { patient, references: this.#references, idFor, assign })
    if (isFlaw(team)) {
      this.#fault(entry, team)
      return
    }
    records.push(...team.records)
    for (const { fhirUser, period } of team.stays) stays.add(fhirUser, period)
    for (const { key, assignments } of team.practitioners) {
      const known = this.#practitioners.get(key) ?? { assignments, patients: new Set() }
      this.#practitioners.set(key, known)
      known.patients.add(patient)
    }
    for (const one of team.flaws) this.#fault(entry, one)
  }

  #chartOf(entry: Entry): Chart | undefined {
    const subject = Reference.safeParse(entry.resource['subject'])
    const target = this.#references.follow(subject.data, entry.resource)
    return target.kind === 'entry' ? this.#charts.get(target.entry) : undefined
  }

  #readable(entry: Entry): entry is IdentifiedEntry {
    const found = isIdentified(entry) ? unfit(entry.type, entry.resource) : flaw(`${entry.type}.id`, WHY.id)
    if (found) this.#fault(entry, found)
    return found === undefined
  }

  #fault({ index }: Entry, { reason }: Flaw): void {
    this.#faults.push({ entry: index, reason })
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
