import { counted } from '../gateway/model/counted.ts'
import type { NodeId } from '../gateway/model/ids.ts'
import type { WriteCounts } from '../gateway/model/source-result.ts'
import type { EntryPlace } from '../fhir/source-units.ts'
import type { EntryCounts } from './entry-tally.ts'

/**
 * A fault of a file, a line or an entry. The file has its name from `sourceRoots`. Names of exported files can hold patients' names,
 * so only faults and the JSON report have them. Undefined indexes mean that the file or the whole bundle is at fault.
 */
export interface ImportFault extends EntryPlace {
  /** Fixed text with type and path, never a value (P8). */
  readonly reason: string
}

export interface ImportReport {
  readonly bundles: number
  /** Number of resources outside of bundles: lines of NDJSON, and files of one resource. */
  readonly resources: number
  readonly patients: number
  /** Records written or found unchanged, by type. */
  readonly records: ReadonlyMap<string, number>
  readonly written: Required<WriteCounts>
  /** The entries of all files, and of each file. */
  readonly entries: EntryCounts
  readonly files: readonly ({ readonly file: string } & EntryCounts)[]
  /** Files that are not read, by their kind. */
  readonly passedOver: ReadonlyMap<string, number>
  /** Number of bundles that are one page of several, without the next page among the files. */
  readonly missingPages: number
  /** Number of resources of each type that the import does not support. */
  readonly unknown: ReadonlyMap<string, number>
  /** Number of resources that the import omits on purpose, by type and reason, for instance `Observation entered-in-error`. */
  readonly leftOut: ReadonlyMap<string, number>
  /** Practitioners on care teams without an assigned user, with the number of their patients. */
  readonly unassigned: ReadonlyMap<string, number>
  /** Assignments to practitioners that are not on any care team of these files. */
  readonly unused: readonly string[]
  /** Number of patients without a known user on their care team. No clinician can read them. */
  readonly unreadable: number
  /** Whether no patient matches `--care-team-of`. */
  readonly matchesNone: boolean
  /** Number of patients that an active consent closes because it is not understood. */
  readonly closed: number
  /** Patient records that other ones replace, by node id. */
  readonly replaced: readonly { readonly patient: NodeId; readonly by: NodeId }[]
  readonly faults: readonly ImportFault[]
}

/** The lines that `phi import` prints at its end. */
export function* summary(report: ImportReport): Generator<string> {
  const { created, updated, unchanged, removed, moved } = report.written
  const sources = [
    ...(report.bundles > 0 || report.resources === 0 ? [counted(report.bundles, 'bundle')] : []),
    ...(report.resources > 0 ? [counted(report.resources, 'single resource')] : []),
  ]
  yield `${counted(report.patients, 'patient')} from ${sources.join(' and ')}`
  yield* wrapped(`entries: ${entriesLine(report.entries)}`)
  yield* wrapped(`records: ${counts(report.records)}`)
  yield `created ${number(created)}, updated ${number(updated)}, unchanged ${number(unchanged)}`
  if (removed > 0) yield `records removed, because their source withdrew them or they cannot be read: ${number(removed)}`
  if (moved > 0) yield `records moved from the chart of another patient: ${number(moved)}`
  if (report.unknown.size > 0) yield* wrapped(`not imported, by type: ${counts(report.unknown)}`)
  if (report.leftOut.size > 0) yield* wrapped(`left out: ${counts(report.leftOut)}`)
  if (report.unassigned.size > 0) {
    yield 'practitioners on care teams without an assigned user (assign one with --assign USER=PRACTITIONER):'
    const rows = [...report.unassigned].sort(byCount)
    const width = Math.max(...rows.map(([practitioner]) => practitioner.length))
    const digits = Math.max(...rows.map(([, patients]) => number(patients).length))
    for (const [practitioner, patients] of rows) {
      const text = counted(patients, 'patient')
      yield `  ${practitioner.padEnd(width)}  ${text.padStart(text.length + digits - number(patients).length)}`
    }
  }
  for (const practitioner of report.unused)
    yield `no care team of these files has the practitioner of --assign (check the id): ${practitioner}`
  if (report.matchesNone) yield 'no patient of these files matches --care-team-of (check the ids)'
  if (report.unreadable > 0)
    yield `no clinician can read ${counted(report.unreadable, 'patient')}: no assigned user is on the care team. Assign a user to a practitioner of the care team with --assign USER=PRACTITIONER, or add the assigned users to it with --care-team-of 'Patient/*'.`
  if (report.closed > 0)
    yield `closed to everybody but the patient, proxies and break-glass, because a consent is not understood: ${counted(report.closed, 'patient')}`
  for (const { patient, by } of report.replaced) yield `the patient record ${patient} is replaced by ${by}`
  if (report.passedOver.size > 0) yield* wrapped(`files that are not read: ${counts(report.passedOver)}`)
  if (report.missingPages > 0)
    yield `${counted(report.missingPages, 'bundle')} with one page of several, without the next page. Export all pages, and import them.`
  for (const { reason, ...place } of report.faults) yield `fault: ${placeText(place)}, ${reason}`
  if (report.faults.length > 0)
    yield `${counted(report.faults.length, 'fault')}; everything else was imported. Correct the faults and run the import again.`
}

/** The report as one line of JSON, with the entries of each file. */
export function jsonReport(report: ImportReport): string {
  return JSON.stringify(report, (_key, value: unknown) => (value instanceof Map ? (Object.fromEntries(value) as unknown) : value))
}

const PARTS: readonly (readonly [keyof EntryCounts, string])[] = [
  ['imported', 'imported'],
  ['unchanged', 'unchanged'],
  ['leftOut', 'left out'],
  ['superseded', 'superseded'],
  ['readByOthers', 'read by others'],
  ['notImported', 'of types that are not imported'],
  ['issues', 'refused'],
]

function entriesLine(entries: EntryCounts): string {
  const parts = PARTS.flatMap(([kind, text]) => (entries[kind] > 0 ? [`${number(entries[kind])} ${text}`] : []))
  return parts.length === 0 ? `${number(entries.read)} read` : `${number(entries.read)} read = ${parts.join(' + ')}`
}

const number = (value: number): string => value.toLocaleString('en-US')

const COLUMNS = 80
/** A break after a part of a list: `Patient 2, ` or `5 imported + `. */
const PART = /(?<=, | \+ )/

/** A long line as several ones, divided after its parts. A part that is longer than a line stays whole. */
function* wrapped(line: string): Generator<string> {
  let current = ''
  for (const part of line.split(PART)) {
    if (current.trim() !== '' && (current + part).trimEnd().length > COLUMNS) {
      yield current.trimEnd()
      current = '  '
    }
    current += part
  }
  yield current
}

function placeText({ file, line, entry, inner = [] }: EntryPlace): string {
  const within = inner.map((index) => `, entry ${index} within`).join('')
  return `${file}${line === undefined ? '' : `, line ${line}`}${entry === undefined ? '' : `, entry ${entry}${within}`}`
}

export function counts(all: ReadonlyMap<string, number>): string {
  const sorted = [...all].sort(byCount)
  return sorted.length === 0 ? 'none' : sorted.map(([name, times]) => `${name} ${number(times)}`).join(', ')
}

function byCount([oneName, one]: readonly [string, number], [otherName, other]: readonly [string, number]): number {
  return other - one || (oneName < otherName ? -1 : 1)
}

export function add(all: Map<string, number>, name: string, times: number): void {
  all.set(name, (all.get(name) ?? 0) + times)
}
