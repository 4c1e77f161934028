import type { ResultSet } from '@aws-sdk/client-athena'
import { ALL_NAMES } from './columns.ts'

/** Athena returns names of columns in lower case. */
const NAMES: ReadonlyMap<string, string> = new Map(ALL_NAMES.map((name) => [name.toLowerCase(), name]))

/**
 * The rows of a page of results by the types of its columns.
 *
 * @param isFirst the first page begins with a row of the names
 * @throws TypeError for a page without types, and for a value that is none of its type
 */
export function athenaRows(page: ResultSet | undefined, isFirst: boolean): Readonly<Record<string, unknown>>[] {
  const columns = page?.ResultSetMetadata?.ColumnInfo
  if (columns === undefined) throw new TypeError('a result of Athena has no types')
  return (page?.Rows ?? []).slice(isFirst ? 1 : 0).map(({ Data = [] }) =>
    Object.fromEntries(
      columns.map(({ Name = '', Type = '' }, at) => {
        const text = Data[at]?.VarCharValue
        return [NAMES.get(Name) ?? Name, text === undefined ? null : valueOf(Type, text)]
      }),
    ),
  )
}

function valueOf(type: string, text: string): unknown {
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'integer':
    case 'bigint': {
      const number = Number(text)
      if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(number))
        throw new TypeError('a result of Athena has a number that is not exact')
      return number
    }
    case 'double':
    case 'float':
    case 'real':
      return Number(text)
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw new TypeError('a result of Athena has a boolean that is none')
      return text === 'true'
    case 'timestamp': {
      // `2026-03-01 12:00:00.000`, in UTC as all times of the tables
      const time = new Date(`${text.replace(' ', 'T')}Z`)
      if (Number.isNaN(time.getTime())) throw new TypeError('a result of Athena has a time that is none')
      return time
    }
    default:
      return text
  }
}
