import type { Consent, ConsentChanges } from '../gateway/model/consent.ts'
import type { PatientId, RecordId } from '../gateway/model/ids.ts'
import { type Entry, isIdentified } from './bundle.ts'
import type { BundleCharts } from './bundle-charts.ts'
import { type ConsentReading, mapConsent, unreadConsent } from './consent.ts'
import type { ConsentContext } from './consent-rules.ts'
import { Reference } from './datatypes.ts'
import type { EntryAccount } from './entry-account.ts'
import type { EntrySources } from './entry-sources.ts'
import { ISSUES, mappingIssue } from './mapping-issue.ts'
import { subjectElements } from './subject.ts'

interface Parts extends ConsentContext {
  readonly charts: BundleCharts
  readonly account: EntryAccount
  readonly sources: EntrySources
}

interface OfPatient {
  /** The place of the patient's first consent in the bundle. */
  readonly entry: number
  readonly given: Consent[]
  readonly withdrawn: string[]
}

/** The consents of a bundle, by patient. A consent entry that the import refuses closes its patient. */
export class BundleConsents {
  readonly #parts: Parts
  readonly #byPatient = new Map<PatientId, OfPatient>()
  /** Patients that are closed because a consent is not understood. */
  readonly closed = new Set<PatientId>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** @param isReadable whether the resource has an id, and nothing that forbids to read it */
  take(entry: Entry, isReadable: boolean): void {
    const patient = this.#patientOf(entry)
    if (patient === undefined) return
    const reading = isReadable && isIdentified(entry) ? mapConsent(entry, this.#parts) : unreadConsent(this.#idOf(entry))
    this.#keep(entry, patient, reading)
  }

  changesOf(patient: PatientId): ConsentChanges {
    const { given = [], withdrawn = [] } = this.#byPatient.get(patient) ?? {}
    return { given: renumbered(given), withdrawn: [...new Set(withdrawn)] }
  }

  /** The consents of patients that are not in the bundle. An earlier import may have stored them. */
  besides(
    patients: ReadonlySet<PatientId>,
  ): readonly { readonly patient: PatientId; readonly entry: number; readonly consents: ConsentChanges }[] {
    return [...this.#byPatient]
      .filter(([patient]) => !patients.has(patient))
      .map(([patient, { entry }]) => ({ patient, entry, consents: this.changesOf(patient) }))
  }

  #keep(entry: Entry, patient: PatientId, { given, withdrawn, issues, closesPatient }: ConsentReading): void {
    const known = this.#byPatient.get(patient) ?? { entry: entry.index, given: [], withdrawn: [] }
    this.#byPatient.set(patient, known)
    known.given.push(...given)
    known.withdrawn.push(...withdrawn)
    if (closesPatient) this.closed.add(patient)
    this.#parts.account.access(entry, patient)
    this.#parts.sources.of(entry, patient)
    for (const issue of issues) this.#parts.account.fault(entry, issue)
  }

  /** All consents of a patient without an id are one statement. A consent with this id replaces it. */
  #idOf({ id = 'without-id' }: Entry): RecordId {
    return this.#parts.idFor('Consent', id)
  }

  /**
   * The patient of a consent: of the bundle, or one that an earlier import may have stored. FHIR R5 calls the element `subject`. A
   * consent that names nobody is about the only patient of its bundle.
   */
  #patientOf(entry: Entry): PatientId | undefined {
    const { references, charts, idFor, account } = this.#parts
    const named = subjectElements('Consent').map((element) => Reference.safeParse(entry.resource[element]).data)
    const targets = named.map((reference) => references.follow(reference, entry.resource, 'Patient'))
    for (const [index, target] of targets.entries()) {
      const patient =
        target.kind === 'entry' ? charts.own.get(target.entry)?.patient : charts.storedPatient(named[index], entry.resource)
      if (patient !== undefined) return patient
    }
    account.fault(entry, mappingIssue('Consent.patient', ISSUES.patient))
    const [only, ...others] = charts.own.values()
    if (targets.every(({ kind }) => kind === 'nowhere' || kind === 'elsewhere'))
      return others.length === 0 ? only?.patient : undefined
    const mentioned = targets.flatMap((target) => {
      if (target.kind === 'outside') return target
      return target.kind === 'entry' ? target.entry : []
    })
    const id = mentioned.find(({ type }) => type === 'Patient')?.id
    return id === undefined ? undefined : (idFor('Patient', id) as string as PatientId)
  }
}

/** Gives each part of a statement a number of its own, because several entries can be parts of one statement. */
function renumbered(given: readonly Consent[]): readonly Consent[] {
  const numbers = new Map<string, number>()
  return given.map((consent) => {
    const [statement = ''] = consent.id.split('.', 1)
    const number = (numbers.get(statement) ?? 0) + 1
    numbers.set(statement, number)
    return { ...consent, id: `${statement}.${number}` }
  })
}
