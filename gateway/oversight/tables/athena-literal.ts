import type { SqlValue } from './audit-tables.ts'

/**
 * A value as Athena reads it in `ExecutionParameters`: a literal of SQL. A text is in single quotes, with each quote in it doubled; Trino
 * knows no other escape. A number is in digits, because a long one in E notation is no number of a BIGINT column.
 *
 * @source https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
 * @throws TypeError for a number that is not whole and exact, and for a text that UTF-8 does not have
 */
export function athenaLiteral(value: SqlValue): string {
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new TypeError('a value of a question is no text')
    return `'${value.replaceAll("'", "''")}'`
  }
  if (!Number.isSafeInteger(value)) throw new TypeError('a number of a question is whole')
  return BigInt(value).toString()
}

/** A name of SQL: `"audit"`. */
export const athenaName = (name: string): string => `"${name.replaceAll('"', '""')}"`
