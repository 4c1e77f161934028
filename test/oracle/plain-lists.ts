import type { NewRecord } from '../../gateway/model/record.ts'

/** Whether a list with these filters has a record. */
export function matches(
  { metadata: { date, datePrecision, codes, categories } }: NewRecord,
  { since, until, code, category }: Record<string, unknown>,
): boolean {
  if (typeof code === 'string' && codes?.includes(code) !== true) return false
  if (typeof category === 'string' && categories?.includes(category) !== true) return false
  const dated = datePrecision === undefined ? date : date?.slice(0, { YEAR: 4, MONTH: 7, DAY: 10 }[datePrecision])
  // a missing date is neither before nor after another
  if (typeof since === 'string' && (dated === undefined || isBefore(dated, since))) return false
  return !(typeof until === 'string' && (dated === undefined || isBefore(until, dated)))
}

/** Compares two dates of any precision as far as both go: a day is neither before nor after its month. */
function isBefore(a: string, b: string): boolean {
  const length = Math.min(a.length, b.length)
  return a.slice(0, length) < b.slice(0, length)
}

/** The order of lists. */
export function newestFirst(a: NewRecord, b: NewRecord): number {
  const [dateA, dateB] = [a.metadata.date ?? '', b.metadata.date ?? '']
  if (dateA !== dateB) return dateA < dateB ? 1 : -1
  return a.ref.id < b.ref.id ? -1 : 1
}
