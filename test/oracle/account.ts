import type { AuditEntry } from '../../gateway/audit/entry.ts'
import type { ClinicAnswer } from '../harness/running-clinic.ts'

/** An answer and its side effects, in a form that can be compared. */
export interface Account {
  readonly data: unknown
  /** One line for each entry, sorted. */
  readonly errors: readonly string[]
  readonly masked: readonly string[]
  readonly audit: readonly string[]
  readonly resolved: number | undefined
  readonly denied: number | undefined
  /** The number of decrypted values. */
  readonly opened: number
  readonly receipt: boolean
}

export const line = (...parts: readonly (string | number | undefined)[]): string =>
  parts.filter((part) => part !== undefined).join(' ')

interface Refusal {
  readonly code: string
  readonly coordinate: string
  readonly reason: string
  readonly records: ReadonlySet<string>
  readonly places: readonly string[]
}

export function accountOfErrors(refusals: Iterable<Refusal>, notFound: readonly string[]): string[] {
  return [
    ...[...refusals].map(({ code, coordinate, reason, records, places }) =>
      line(code, coordinate, reason, records.size, ...places.toSorted()),
    ),
    ...notFound.map((place) => line('NOT_FOUND', place)),
  ].toSorted()
}

/** The account of the actual answer. `cursor` replaces each cursor that `expected` has at the same place. */
export function accountOf(
  { data, errors, phi }: ClinicAnswer,
  entries: readonly AuditEntry[],
  opened: number,
  expected: unknown,
  cursor: string,
): Account {
  return {
    data: withoutCursors(data, expected, cursor),
    errors: errors.map(errorLine).toSorted(),
    masked: (phi.masked ?? [])
      .map(({ coordinate, view, count, paths }) => line(coordinate, view, count, ...paths.map(text).toSorted()))
      .toSorted(),
    audit: entries.map(entryLine).toSorted(),
    resolved: phi.resolved,
    denied: phi.denied,
    opened,
    receipt: typeof phi.receipt === 'string',
  }
}

function errorLine({ path, extensions }: ClinicAnswer['errors'][number]): string {
  const { code, coordinate, reason, count, paths } = extensions
  if (!Array.isArray(paths)) return line(String(code), text(path))
  // the path of the entry is the first of its paths
  const places = paths.map(text)
  const first = places[0] === text(path) ? [] : ['(its path is not the first of its paths)']
  return line(String(code), String(coordinate), String(reason), Number(count), ...places.toSorted(), ...first)
}

/** A patient whom the caller may not know of stands there under a keyed hash, which tells nobody anything. */
export function entryLine({
  patient,
  recordType,
  recordId,
  path,
  action,
  outcome,
  reason,
  view,
  basis,
  count,
}: AuditEntry): string {
  const whose = reason === 'NOT_FOUND' ? '(nobody)' : patient
  const record = recordType === undefined ? '' : `${recordType} ${recordId ?? ''}`
  return line(whose, record, path, action, outcome, reason, view, basis, count)
}

function withoutCursors(actual: unknown, expected: unknown, cursor: string): unknown {
  if (expected === cursor && typeof actual === 'string' && actual !== '') return cursor
  if (Array.isArray(actual)) return actual.map((item, index) => withoutCursors(item, at(expected, index), cursor))
  if (typeof actual !== 'object' || actual === null) return actual
  return Object.fromEntries(Object.entries(actual).map(([key, value]) => [key, withoutCursors(value, at(expected, key), cursor)]))
}

const at = (value: unknown, key: string | number): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[key] : undefined

const text = (value: unknown): string => JSON.stringify(value)
