import type { ExportItem } from './item-batches.ts'
import { isMember, MEMBER_NAMES } from './members.ts'

/** The first line: all members of a record, and `others`, the members that a later writer adds, as a JSON object. */
const CSV_HEADER = [...MEMBER_NAMES, 'others'].join(',')

const LINE_END = '\r\n'

/**
 * A spreadsheet takes a cell that begins with one of these for a formula, also in full width. An apostrophe before it makes the cell a
 * text. A cell that begins with an apostrophe gets one more, so that a program can remove the first one of each such cell.
 *
 * @source https://owasp.org/www-community/attacks/CSV_Injection
 */
const FORMULA = /^[=+\-@\t\r\n'\uff1d\uff0b\uff0d\uff20]/

/** @source RFC 4180, section 2. A space at an end is quoted too, because some programs remove it. */
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$|^$|^'/

/** The lines of an item, without the header. A member that is absent is an empty cell, and an empty text is `""`. */
export function csvLines(item: ExportItem): string {
  return item.map((entry) => cellsOf(entry).join(',') + LINE_END).join('')
}

export const csvHeader = (): string => CSV_HEADER + LINE_END

function cellsOf(entry: ExportItem[number]): readonly string[] {
  const others = Object.entries(entry).filter(([name]) => !isMember(name))
  const cells = MEMBER_NAMES.map((name) => cellOf(entry[name]))
  return [...cells, others.length === 0 ? '' : cellOf(Object.fromEntries(others))]
}

/** A list or an object is its JSON. */
function cellOf(value: unknown): string {
  if (value === undefined) return ''
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const safe = FORMULA.test(text) ? `'${text}` : text
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
