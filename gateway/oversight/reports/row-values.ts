import { AuditLogUnavailable } from '../../model/failures.ts'

/** A row of an answer of the tables. */
export type Row = Readonly<Record<string, unknown>>

/** A count or a number. @throws AuditLogUnavailable if the tables returned something else */
export function numberIn(row: Row, name: string): number {
  const value = row[name]
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw new AuditLogUnavailable()
  return number
}

/** A text, or undefined if the row has none. @throws AuditLogUnavailable */
export function textIn(row: Row, name: string): string | undefined {
  const value = row[name]
  if (value === null || value === undefined) return undefined
  if (typeof value !== 'string') throw new AuditLogUnavailable()
  return value
}

/** A text that each row has. @throws AuditLogUnavailable */
export function requiredText(row: Row, name: string): string {
  const text = textIn(row, name)
  if (text === undefined) throw new AuditLogUnavailable()
  return text
}

/** A time in milliseconds since the epoch, or undefined if the row has none. @throws AuditLogUnavailable */
export function timeIn(row: Row, name: string): number | undefined {
  const value = row[name]
  if (value === null || value === undefined) return undefined
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) throw new AuditLogUnavailable()
  return value.getTime()
}

/** A time that each row has. @throws AuditLogUnavailable */
export function requiredTime(row: Row, name: string): number {
  const time = timeIn(row, name)
  if (time === undefined) throw new AuditLogUnavailable()
  return time
}
