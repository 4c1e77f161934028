import type { PatientId } from '../gateway/model/ids.ts'
import type { Entry } from './bundle.ts'
import { type Chart, emptyChart } from './chart.ts'
import { Reference } from './datatypes.ts'
import type { MapOptions } from './mapped-bundle.ts'
import type { OpenedBundle } from './opened-bundle.ts'
import type { References } from './references.ts'
import { StoredPatients } from './stored-patients.ts'
import { subjectElement } from './subject.ts'

type Resource = Readonly<Record<string, unknown>>

/** The charts of a bundle: of its own patients, and of patients of earlier imports. */
export class BundleCharts {
  readonly #idFor: MapOptions['idFor']
  readonly #references: References
  readonly #patients: StoredPatients
  readonly #own = new Map<Entry, Chart>()
  readonly #stored = new Map<PatientId, Chart>()

  constructor(opened: OpenedBundle, options: MapOptions) {
    this.#idFor = options.idFor
    this.#references = opened.references
    this.#patients = new StoredPatients(opened, options)
  }

  /** Adds the chart of a patient of the bundle. */
  add(entry: Entry, chart: Chart): void {
    this.#own.set(entry, chart)
  }

  /** The charts of the bundle's patients, by entry. */
  get own(): ReadonlyMap<Entry, Chart> {
    return this.#own
  }

  /** The charts of patients of earlier imports. */
  get stored(): readonly Chart[] {
    return [...this.#stored.values()]
  }

  /** The chart of the patient that a resource is about. */
  of(entry: Entry): Chart | undefined {
    const subject = Reference.safeParse(entry.resource[subjectElement(entry.type)])
    const target = this.#references.follow(subject.data, entry.resource, 'Patient')
    return target.kind === 'entry' ? this.#own.get(target.entry) : this.#storedChart(subject.data, entry)
  }

  /** The patient that a reference names, in the bundle or among those of earlier imports. */
  patientAt(reference: string | undefined, from: Resource): PatientId | undefined {
    const target = this.#references.follow(reference, from, 'Patient')
    if (target.kind !== 'entry') return this.storedPatient(reference, from)
    const { type, id } = target.entry
    return type === 'Patient' && id !== undefined ? (this.#idFor('Patient', id) as string as PatientId) : undefined
  }

  /** The patient of an earlier import that a reference names. */
  storedPatient(reference: string | undefined, from: Resource): PatientId | undefined {
    return this.#patients.find(reference, from)?.patient
  }

  #storedChart(reference: string | undefined, entry: Entry): Chart | undefined {
    const found = this.#patients.find(reference, entry.resource)
    if (found === undefined) return undefined
    const { patient, base } = found
    const chart = this.#stored.get(patient) ?? emptyChart(entry.index, patient, base)
    this.#stored.set(patient, chart)
    chart.base ??= base
    // two servers may give one id to two patients
    return base === undefined || chart.base === base ? chart : undefined
  }
}
