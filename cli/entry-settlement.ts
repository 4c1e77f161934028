import type { EntryOutcome } from '../fhir/entry-account.ts'
import type { MappedBundle, MappedPatient } from '../fhir/mapped-bundle.ts'
import { ISSUES } from '../fhir/mapping-issue.ts'
import type { EntryPlace, SourceUnit } from '../fhir/source-units.ts'
import type { PatientId } from '../gateway/model/ids.ts'
import type { SourceResource } from '../gateway/model/source.ts'
import type { RefusedResource, SourceResult } from '../gateway/model/source-result.ts'
import type { EntryTally } from './entry-tally.ts'
import type { ImportFault } from './import-report.ts'

/** An entry that waits for the write of its patient, which shows what became of it. */
interface Waiting {
  readonly place: EntryPlace
  /** The resource of the entry; undefined without an id. */
  readonly source: SourceResource | undefined
  readonly outcome: Extract<EntryOutcome, { kind: 'records' | 'access' }>
}

const REFUSALS: Readonly<Record<RefusedResource['why'], string>> = {
  CONFLICT: ISSUES.versions,
  REVIVAL: ISSUES.revived,
  PATIENT: ISSUES.patient,
  ENCOUNTER: ISSUES.foreignEncounter,
}

/** The fault of a resource that the store refused. */
export const refusalFault = (place: EntryPlace, type: string, why: RefusedResource['why']): ImportFault => ({
  ...place,
  reason: `${type}: ${REFUSALS[why]}`,
})

const KINDS = {
  leftOut: 'leftOut',
  superseded: 'superseded',
  readByOthers: 'readByOthers',
  notImported: 'notImported',
  issue: 'issues',
} as const

/** Settles each entry of an import once: when its bundle is mapped, or when its patient is written. */
export class EntrySettlement {
  readonly #tally: EntryTally
  readonly #waiting = new WeakMap<MappedPatient, readonly Waiting[]>()
  readonly #places = new WeakMap<MappedPatient, EntryPlace>()

  constructor(tally: EntryTally) {
    this.#tally = tally
  }

  /**
   * Counts the entries of a bundle. The entries of its patients wait for `settle`.
   *
   * @param patients the patients of the bundle, and those of earlier imports, as they will be written
   */
  take(unit: SourceUnit, { outcomes, places }: MappedBundle, patients: readonly MappedPatient[]): void {
    const waiting = new Map<PatientId, Waiting[]>()
    const sources = new Map(patients.flatMap((one) => one.sources.map((source) => [source.entry, source])))
    for (const [index, outcome] of outcomes.entries()) {
      const place = unit.placeOf(places[index] ?? [])
      this.#tally.read(place.file, 1)
      if (outcome.kind !== 'records' && outcome.kind !== 'access') {
        this.#tally.settled(place.file, KINDS[outcome.kind])
        continue
      }
      const ofPatient = waiting.get(outcome.patient) ?? []
      waiting.set(outcome.patient, ofPatient)
      ofPatient.push({ place, source: sources.get(index), outcome })
    }
    for (const patient of patients) {
      this.#places.set(patient, unit.placeOf(places[patient.entry] ?? []))
      this.#waiting.set(patient, waiting.get(patient.patient) ?? [])
      waiting.delete(patient.patient)
    }
  }

  /** Settles the entries of a patient that was written. Returns the faults of resources that the store refused. */
  settle(patient: MappedPatient, result: SourceResult): readonly ImportFault[] {
    const refused = new Map(result.refused.map(({ id, why }) => [id, why]))
    const outdated = new Set(result.outdated)
    return this.#entriesOf(patient).flatMap(({ place, source, outcome }) => {
      const why = source && refused.get(source.id)
      if (source !== undefined && why !== undefined) {
        this.#tally.settled(place.file, 'issues')
        return refusalFault(place, source.type, why)
      }
      if (source !== undefined && outdated.has(source.id)) this.#tally.settled(place.file, 'superseded')
      else this.#tally.settled(place.file, isUnchanged(outcome, result) ? 'unchanged' : 'imported')
      return []
    })
  }

  /** Settles the entries of a patient that was not written, and returns the fault. */
  refuse(patient: MappedPatient, reason: string): ImportFault {
    for (const { place } of this.#entriesOf(patient)) this.#tally.settled(place.file, 'issues')
    return { ...(this.#places.get(patient) ?? { file: '' }), reason }
  }

  #entriesOf(patient: MappedPatient): readonly Waiting[] {
    return this.#waiting.get(patient) ?? []
  }
}

const isUnchanged = (outcome: Waiting['outcome'], { accessChanged, unchangedRecords }: SourceResult): boolean =>
  outcome.kind === 'access' ? !accessChanged : outcome.records.every((record) => unchangedRecords.has(record))
