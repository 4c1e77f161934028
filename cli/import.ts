import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { WHOLE_BUNDLE } from '../fhir/mapping-issue.ts'
import { type SourceFile, readBundles, sourceFiles } from '../fhir/files.ts'
import { type Importer, type WriteCounts, writePatients } from '../fhir/importer.ts'
import { sensitivities } from '../directives/sensitivities.ts'
import { type CodeLabels, CodeListRefused, UnknownSensitivity, codeLabels } from '../fhir/labels.ts'
import { mapBundle } from '../fhir/map-bundle.ts'
import type { MappedBundle, MappedPatient } from '../fhir/mapped-bundle.ts'
import { BadUserInput, VersionConflict } from '../gateway/model/failures.ts'
import type { PatientId, TenantId } from '../gateway/model/ids.ts'
import type { MinorsPolicy } from '../gateway/model/minors.ts'
import { StageRefused, refuseProduction } from '../gateway/model/stage.ts'
import { clinicLock } from '../schema/clinic.ts'
import { type Assignment, assignment, assignments } from './assignments.ts'
import { type ImportFault, type ImportReport, add, summary } from './import-report.ts'
import { MinorsPolicyRefused, readMinorsPolicy } from './minors-policy.ts'
import { type Progress, progressOn } from './progress.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'

export interface ImportOptions {
  readonly paths: readonly string[]
  readonly tenant: TenantId
  /** The FHIR identities of users, by `Practitioner/ID`. */
  readonly assign: ReadonlyMap<string, readonly string[]>
  /** The codes that label a record as sensitive. */
  readonly labels: CodeLabels
  /** Limits for parents and guardians of minors, by age and category. The default is `MINORS`. */
  readonly minors?: MinorsPolicy
  readonly importer: Importer
  readonly progress: Progress
  readonly print: (line: string) => void
}

/**
 * Imports every bundle under the paths and prints a summary. A faulty file or entry is reported, and the rest is imported.
 *
 * @throws the error of the importer if it cannot write to the store; a second run continues the import
 */
export async function runImport(options: ImportOptions): Promise<ImportReport> {
  const run = new ImportRun(options)
  const files = await sourceFiles(options.paths)
  options.progress.start(files.reduce((sum, { bytes }) => sum + bytes, 0))
  try {
    await writePatients(run.patients(files), (patient) => run.write(patient))
  } finally {
    options.progress.stop()
  }
  const report = run.report()
  for (const line of summary(report)) options.print(line)
  return report
}

class ImportRun {
  readonly #options: ImportOptions
  readonly #files = new WeakMap<MappedPatient, string>()
  readonly #patients = new Set<PatientId>()
  readonly #records = new Map<string, number>()
  readonly #unknown = new Map<string, number>()
  readonly #leftOut = new Map<string, number>()
  readonly #unassigned = new Map<string, Set<PatientId>>()
  readonly #used = new Set<string>()
  readonly #closed = new Set<PatientId>()
  /** Patients of earlier imports that only consents of these files name. */
  readonly #stored: MappedPatient[] = []
  readonly #faults: ImportFault[] = []
  #written: WriteCounts = { created: 0, updated: 0, unchanged: 0 }
  #bundles = 0
  #doneBytes = 0

  constructor(options: ImportOptions) {
    this.#options = options
  }

  async *patients(files: readonly SourceFile[]): AsyncGenerator<MappedPatient> {
    for await (const file of readBundles(files)) {
      this.#doneBytes = file.doneBytes
      if ('reason' in file) {
        this.#faults.push({ file: file.name, reason: `the file ${file.reason}` })
        continue
      }
      const bundle = parsed(file.text)
      if (bundle === undefined) {
        this.#faults.push({ file: file.name, reason: 'the file is not JSON' })
        continue
      }
      const mapped = mapBundle(bundle, { ...this.#options, idFor: this.#options.importer.idFor })
      this.#collect(file.name, mapped)
      for (const patient of [...mapped.patients, ...mapped.stored]) this.#files.set(patient, file.name)
      yield* mapped.patients
      this.#stored.push(...mapped.stored)
    }
    // a later file can bring the patient of a consent
    yield* this.#stored
  }

  async write(patient: MappedPatient): Promise<void> {
    try {
      const { created, updated, unchanged } = await this.#options.importer.write(patient)
      const before = this.#written
      this.#written = {
        created: before.created + created,
        updated: before.updated + updated,
        unchanged: before.unchanged + unchanged,
      }
      if (patient.records.length > 0) this.#patients.add(patient.patient)
      for (const { ref } of patient.records) add(this.#records, ref.type, 1)
    } catch (failure) {
      // these two errors concern only this patient; any other error means that the store is not available
      if (!(failure instanceof VersionConflict || failure instanceof BadUserInput)) throw failure
      this.#faults.push({ file: this.#files.get(patient) ?? '', entry: patient.entry, reason: `not written: ${failure.code}` })
    }
    const { created, updated, unchanged } = this.#written
    const records = created + updated + unchanged
    this.#options.progress.update({ doneBytes: this.#doneBytes, patients: this.#patients.size, records })
  }

  report(): ImportReport {
    return {
      bundles: this.#bundles,
      patients: this.#patients.size,
      records: this.#records,
      written: this.#written,
      unknown: this.#unknown,
      leftOut: this.#leftOut,
      unassigned: new Map([...this.#unassigned].map(([practitioner, patients]) => [practitioner, patients.size])),
      unused: [...this.#options.assign.keys()].filter((practitioner) => !this.#used.has(practitioner)),
      closed: this.#closed.size,
      faults: this.#faults,
    }
  }

  #collect(file: string, mapped: MappedBundle): void {
    this.#bundles += 1
    for (const [type, times] of mapped.unknown) add(this.#unknown, type, times)
    for (const [what, times] of mapped.leftOut) add(this.#leftOut, what, times)
    for (const patient of mapped.closed) this.#closed.add(patient)
    for (const { entry, reason } of mapped.faults) {
      this.#faults.push({ file, reason, ...(entry !== WHOLE_BUNDLE && { entry }) })
    }
    for (const [practitioner, { assignments, patients }] of mapped.practitioners) {
      for (const assignment of assignments) this.#used.add(assignment)
      if (assignments.length > 0) continue
      this.#unassigned.set(practitioner, new Set([...(this.#unassigned.get(practitioner) ?? []), ...patients]))
    }
  }
}

/** Returns the parsed JSON, or undefined. The error of the parser is dropped because its message quotes the text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

interface ImportCommandOptions {
  readonly tenant: TenantId
  readonly assign: readonly Assignment[]
  readonly labels: readonly string[]
  readonly minors?: string
}

const NO_FILES: readonly string[] = []

export interface ImportCommandServices {
  /** Opens the sealed store of one tenant. */
  readonly openImporter: (tenant: TenantId) => Promise<Importer>
}

/** `phi import <path...> [--tenant T] [--assign USER=PRACTITIONER] [--labels FILE] [--minors FILE]`. Exit code 1 after any fault. */
export function importCommand({ openImporter }: ImportCommandServices): Command {
  return new Command('import')
    .description('import FHIR R4 bundles: JSON files, .gz, .zip, or directories of them')
    .argument('<path...>', 'files or directories')
    .option('--tenant <tenant>', 'the tenant of the patients', tenantOption, tenantOption('riverside'))
    .option('--assign <user=practitioner>', 'assign a user to a practitioner; can be repeated', assignment, [])
    .option(
      '--labels <file>',
      'a file with more lists of sensitive codes; can be repeated',
      (file, before) => [...before, file],
      NO_FILES,
    )
    .option('--minors <file>', 'a file with the limits for parents of minors, by age and category')
    .action(async (paths: string[], options: ImportCommandOptions, command: Command) => {
      const ready = readyToImport(options, command)
      const importer = await openImporter(options.tenant)
      const progress = progressOn({ stream: process.stderr, now: Date.now })
      try {
        const { faults } = await runImport({ paths, tenant: options.tenant, ...ready, importer, progress, print: printLine })
        if (faults.length > 0) process.exitCode = 1
      } finally {
        await importer.close()
      }
    })
}

/** Reads the options before anything is opened. An error that the user can correct ends the command with one line. */
function readyToImport(
  { assign, tenant, labels, minors }: ImportCommandOptions,
  command: Command,
): Pick<ImportOptions, 'assign' | 'labels' | 'minors'> {
  try {
    refuseProduction(process.env)
    return {
      assign: assignments(assign, tenant),
      labels: codeLabels(
        sensitivities(clinicLock()),
        labels.map((file) => readFileSync(file, 'utf8')),
      ),
      ...(minors !== undefined && { minors: readMinorsPolicy(readFileSync(minors, 'utf8')) }),
    }
  } catch (failure) {
    const isCorrectable = [StageRefused, InvalidArgumentError, CodeListRefused, UnknownSensitivity, MinorsPolicyRefused].some(
      (kind) => failure instanceof kind,
    )
    if (isCorrectable && failure instanceof Error) command.error(`error: ${failure.message}`)
    throw failure
  }
}
