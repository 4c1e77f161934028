import { readValues } from '../fhir/files.ts'
import { type Importer, writePatients } from '../fhir/importer.ts'
import type { CodeLabels } from '../fhir/labels.ts'
import { mapOpened } from '../fhir/map-bundle.ts'
import type { MappedBundle, MappedPatient } from '../fhir/mapped-bundle.ts'
import { ISSUES, WHOLE_BUNDLE } from '../fhir/mapping-issue.ts'
import { type OpenedBundle, openBundle } from '../fhir/opened-bundle.ts'
import { type SourceRoot, sourceRoots } from '../fhir/source-files.ts'
import { type EntryPlace, type SourceUnit, SourceUnits } from '../fhir/source-units.ts'
import { lookupId } from '../fhir/stored-patients.ts'
import { BadUserInput, VersionConflict } from '../gateway/model/failures.ts'
import type { PatientId, TenantId } from '../gateway/model/ids.ts'
import type { Clock } from '../gateway/model/record.ts'
import type { WithdrawnResource } from '../gateway/model/source.ts'
import type { MinorsPolicy } from '../gateway/model/minors.ts'
import { type PatientPattern, isReadableBy, withMembers } from './care-team-option.ts'
import { EntrySettlement, refusalFault } from './entry-settlement.ts'
import { EntryTally } from './entry-tally.ts'
import { HeldUnits, type OpenedUnit } from './held-units.ts'
import { ImportFindings } from './import-findings.ts'
import { type ImportFault, type ImportReport, add, counts } from './import-report.ts'
import type { Progress } from './progress.ts'

export interface ImportOptions {
  readonly paths: readonly string[]
  readonly tenant: TenantId
  /** The FHIR identities of users, by `Practitioner/ID`. */
  readonly assign: ReadonlyMap<string, readonly string[]>
  /** Whether users also take the place of practitioners of encounters. */
  readonly encounterPractitioners: boolean
  /** The patients that get the assigned users on their care team. */
  readonly careTeamOf: readonly PatientPattern[]
  /** The FHIR identities of users who can sign in, as far as they are known. */
  readonly users: ReadonlySet<string>
  /** The codes that label a record as sensitive. */
  readonly labels: CodeLabels
  /** Limits for parents and guardians of minors, by age and category. The default is `MINORS`. */
  readonly minors?: MinorsPolicy
  readonly importer: Importer
  readonly progress: Progress
  /** Names, addresses and numbers that have ended by now are not current. */
  readonly now: Clock
}

/**
 * Imports everything under the paths. A faulty file or entry is reported, and the rest is imported.
 *
 * @throws the error of the importer if it cannot write to the store; a second run continues the import
 */
export async function runImport(options: ImportOptions): Promise<ImportReport> {
  const run = new ImportRun(options)
  const roots = await sourceRoots(options.paths)
  options.progress.start(roots.flatMap(({ files }) => files).reduce((sum, { bytes }) => sum + bytes, 0))
  try {
    await writePatients(run.patients(roots), (patient) => run.write(patient))
    // a later file can bring a newer version of a resource
    await run.withdraw()
  } finally {
    options.progress.stop()
  }
  return run.report()
}

const TOO_MANY_HELD =
  'the bundles with resources of patients that they do not hold are too many to be read together; import fewer files at a time'

class ImportRun {
  readonly #options: ImportOptions
  /** One instant for all files, so that their order changes nothing. */
  readonly #now: string
  readonly #units = new SourceUnits()
  readonly #held = new HeldUnits()
  /** The writes that have not ended. */
  readonly #writing = new Set<Promise<void>>()
  readonly #tally = new EntryTally()
  readonly #settlement = new EntrySettlement(this.#tally)
  readonly #findings = new ImportFindings()
  /** The server of each patient. */
  readonly #bases = new Map<PatientId, string>()
  readonly #passedOver = new Map<string, number>()
  readonly #withdrawn: { readonly resource: WithdrawnResource; readonly place: EntryPlace }[] = []
  /** Patients of earlier imports with resources in these files. */
  readonly #stored: MappedPatient[] = []
  readonly #faults: ImportFault[] = []
  #bundles = 0
  #resources = 0
  #doneBytes = 0
  /** Whether a patient matches `careTeamOf`. */
  #anyMatches = false

  constructor(options: ImportOptions) {
    this.#options = options
    this.#now = new Date(options.now()).toISOString()
  }

  async *patients(roots: readonly SourceRoot[]): AsyncGenerator<MappedPatient> {
    for (const root of roots) yield* this.#patientsOf(root)
    const collection = this.#units.collection()
    if (collection !== undefined) yield* this.#mapped(collection)
    for (const unit of this.#held.inOrder()) yield* await this.#mappedHeld(unit)
    for (const [file, entries] of this.#units.refused()) {
      this.#tally.read(file, entries)
      this.#tally.settled(file, 'issues', entries)
    }
    this.#faults.push(...this.#units.faults())
    // a later file can bring the patient of a consent
    yield* this.#stored
  }

  async *#patientsOf(root: SourceRoot): AsyncGenerator<MappedPatient> {
    const passedOver = new Map(root.passedOver)
    let isRead = false
    const logs = new Set<string>()
    for (const { name } of root.files) this.#tally.addFile(name)
    for await (const found of readValues(root.files, this.#doneBytes)) {
      const { name } = found
      this.#doneBytes = found.doneBytes
      if ('passedOver' in found) {
        add(passedOver, found.passedOver, 1)
        continue
      }
      this.#tally.addFile(name)
      if ('reason' in found) {
        isRead = true
        if ('line' in found) this.#refusedLine(name, found.line, found.reason)
        else this.#faults.push({ file: name, reason: `the file ${found.reason}` })
        continue
      }
      const unit = this.#units.take(found)
      if (unit === 'passed over') {
        if (!logs.has(name)) add(passedOver, 'export log or manifest', 1)
        logs.add(name)
        continue
      }
      if (unit === 'empty') {
        this.#bundles += 1
        add(passedOver, 'bundle without entries', 1)
        continue
      }
      isRead = true
      if (unit === 'kept') this.#resources += 1
      else if (unit === 'page') this.#bundles += 1
      else if (unit === 'not a resource') this.#refusedLine(name, found.line, 'holds no FHIR resource')
      else {
        this.#bundles += 1
        yield* this.#mapped(unit)
      }
    }
    for (const [kind, files] of passedOver) add(this.#passedOver, kind, files)
    // a path without files is an empty list: the same fault
    if (!isRead) this.#faults.push({ file: root.name, reason: `nothing to import was found; found instead: ${counts(passedOver)}` })
  }

  #refusedLine(file: string, line: number | undefined, reason: string): void {
    this.#tally.read(file, 1)
    this.#tally.settled(file, 'issues')
    this.#faults.push({ file, ...(line !== undefined && { line }), reason: `the line ${reason}` })
  }

  /** Maps a unit with all of its patients. Other units are held. */
  *#mapped(unit: SourceUnit): Generator<MappedPatient> {
    const opened = openBundle(unit.bundle, this.#now)
    const taken = this.#held.take(unit, opened)
    if (taken === 'held') return
    if (taken === 'too many') this.#faults.push({ ...unit.placeOf([]), reason: TOO_MANY_HELD })
    yield* this.#mappedWith(unit, opened, new Map())
  }

  /** Maps a unit with resources of patients that other units or earlier imports have brought. */
  async #mappedHeld({ unit, opened, outside }: OpenedUnit): Promise<Generator<MappedPatient>> {
    // the store has the patients of the other units once their writes have ended
    await Promise.all(this.#writing)
    const { importer } = this.#options
    const ids = outside.map((key) => [key, lookupId(key, importer.idFor)] as const)
    const found = await importer.storedPatients(
      ids.map(([, id]) => id),
      this.#now,
    )
    return this.#mappedWith(
      unit,
      opened,
      new Map(ids.flatMap(([key, id]) => (found.has(id) ? [[key, found.get(id) as PatientId]] : []))),
    )
  }

  *#mappedWith(unit: SourceUnit, opened: OpenedBundle, stored: ReadonlyMap<string, PatientId>): Generator<MappedPatient> {
    const mapped = mapOpened(opened, { ...this.#options, now: this.#now, idFor: this.#options.importer.idFor, stored })
    this.#findings.mapped(mapped)
    this.#collect(unit, mapped)
    const patients = mapped.patients.map((patient) => this.#withMembers(patient))
    this.#settlement.take(unit, mapped, [...patients, ...mapped.stored])
    for (const patient of patients) if (!this.#isOfOtherServer(patient)) yield patient
    for (const patient of mapped.stored) if (!this.#isOfOtherServer(patient)) this.#stored.push(patient)
  }

  #withMembers(patient: MappedPatient): MappedPatient {
    const { careTeamOf, assign } = this.#options
    const changed = withMembers(patient, careTeamOf, [...new Set([...assign.values()].flat())])
    this.#anyMatches ||= changed !== undefined
    return changed ?? patient
  }

  /** Two servers may give one id to two patients. The second one must not change the chart of the first. */
  #isOfOtherServer(patient: MappedPatient): boolean {
    const { base } = patient
    const known = this.#bases.get(patient.patient)
    if (base === undefined || known === base) return false
    this.#bases.set(patient.patient, known ?? base)
    if (known === undefined) return false
    this.#faults.push(this.#settlement.refuse(patient, `Patient.id: ${ISSUES.bases}`))
    return true
  }

  /** Collects the faults of a bundle, and the resources that no chart has from now on. */
  #collect(unit: SourceUnit, { withdrawn, faults, places }: MappedBundle): void {
    const placeOf = (entry: number): EntryPlace => unit.placeOf(entry === WHOLE_BUNDLE ? [] : (places[entry] ?? []))
    for (const resource of withdrawn) this.#withdrawn.push({ resource, place: placeOf(resource.entry) })
    for (const { entry, reason } of faults) this.#faults.push({ ...placeOf(entry), reason })
  }

  async write(patient: MappedPatient): Promise<void> {
    const writing = this.#write(patient)
    const ended = writing.catch(() => undefined).then(() => void this.#writing.delete(ended))
    this.#writing.add(ended)
    await writing
  }

  async #write(patient: MappedPatient): Promise<void> {
    try {
      const result = await this.#options.importer.write(patient)
      this.#faults.push(...this.#settlement.settle(patient, result))
      const { users, now } = this.#options
      this.#findings.written(patient, result, isReadableBy(patient, users, now()))
    } catch (failure) {
      // these two errors concern only this patient; any other error means that the store is not available
      if (!(failure instanceof VersionConflict || failure instanceof BadUserInput)) throw failure
      this.#faults.push(this.#settlement.refuse(patient, `not written: ${failure.code}`))
    }
    const { patients, records } = this.#findings
    this.#options.progress.update({ doneBytes: this.#doneBytes, patients, records })
  }

  /** Removes the resources that no chart has from now on. */
  async withdraw(): Promise<void> {
    if (this.#withdrawn.length === 0) return
    const result = await this.#options.importer.withdraw(this.#withdrawn.map(({ resource }) => resource))
    this.#findings.changed(result)
    const places = new Map(this.#withdrawn.map(({ resource, place }) => [resource.id, { type: resource.type, place }]))
    for (const { id, why } of result.refused) {
      const { type = '', place = { file: '' } } = places.get(id) ?? {}
      this.#faults.push(refusalFault(place, type, why))
    }
  }

  report(): ImportReport {
    const { assign, careTeamOf } = this.#options
    return {
      bundles: this.#bundles,
      resources: this.#resources,
      ...this.#findings.report(this.#anyMatches ? [] : assign.keys()),
      entries: this.#tally.total(),
      files: this.#tally.files(),
      passedOver: this.#passedOver,
      missingPages: this.#units.missingPages(),
      matchesNone: careTeamOf.length > 0 && !this.#anyMatches,
      faults: this.#faults,
    }
  }
}
