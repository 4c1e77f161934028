import type { WriteCounts } from '../fhir/importer.ts'

export interface ImportFault {
  /** The name from `sourceFiles`. Names of exported files can hold patients' names, so they are only printed for faults. */
  readonly file: string
  /** The index in `Bundle.entry`, from 0. Undefined if the file or the whole bundle is at fault. */
  readonly entry?: number
  /** Fixed text with type and path, never a value (P8). */
  readonly reason: string
}

export interface ImportReport {
  readonly bundles: number
  readonly patients: number
  /** Records written or found unchanged, by type. */
  readonly records: ReadonlyMap<string, number>
  readonly written: WriteCounts
  /** Number of resources of each type that the import does not support. */
  readonly unknown: ReadonlyMap<string, number>
  /** Number of resources that the import omits on purpose, by type and reason, for instance `Observation entered-in-error`. */
  readonly leftOut: ReadonlyMap<string, number>
  /** Practitioners on care teams without an assigned user, with the number of their patients. */
  readonly unassigned: ReadonlyMap<string, number>
  /** Assignments to practitioners that are not on any care team of these files. */
  readonly unused: readonly string[]
  /** Number of patients that an active consent closes because it is not understood. */
  readonly closed: number
  readonly faults: readonly ImportFault[]
}

/** The lines that `phi import` prints at its end. */
export function* summary(report: ImportReport): Generator<string> {
  const { created, updated, unchanged } = report.written
  yield `${several(report.patients, 'patient')} from ${several(report.bundles, 'bundle')}`
  yield `records: ${counts(report.records)}`
  yield `created ${created}, updated ${updated}, unchanged ${unchanged}`
  if (report.unknown.size > 0) yield `not imported, by type: ${counts(report.unknown)}`
  if (report.leftOut.size > 0) yield `left out: ${counts(report.leftOut)}`
  if (report.unassigned.size > 0) {
    yield 'practitioners on care teams without an assigned user (assign one with --assign USER=PRACTITIONER):'
    for (const [practitioner, patients] of [...report.unassigned].sort(byCount))
      yield `  ${practitioner}  ${several(patients, 'patient')}`
  }
  for (const practitioner of report.unused)
    yield `no care team of these files has the practitioner of --assign (check the id): ${practitioner}`
  if (report.closed > 0)
    yield `closed to everybody but the patient, proxies and break-glass, because a consent is not understood: ${several(report.closed, 'patient')}`
  for (const { file, entry, reason } of report.faults)
    yield `fault: ${file}, ${entry === undefined ? '' : `entry ${entry}, `}${reason}`
  if (report.faults.length > 0)
    yield `${several(report.faults.length, 'fault')}; everything else was imported. Correct the faults and run the import again.`
}

const several = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

function counts(all: ReadonlyMap<string, number>): string {
  const sorted = [...all].sort(byCount)
  return sorted.length === 0 ? 'none' : sorted.map(([name, times]) => `${name} ${times}`).join(', ')
}

function byCount([oneName, one]: readonly [string, number], [otherName, other]: readonly [string, number]): number {
  return other - one || (oneName < otherName ? -1 : 1)
}

export function add(all: Map<string, number>, name: string, times: number): void {
  all.set(name, (all.get(name) ?? 0) + times)
}
