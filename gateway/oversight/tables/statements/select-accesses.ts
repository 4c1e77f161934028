import type { AccessFilter } from '../../access-filter.ts'
import type { AccessPosition } from '../../recorded-access.ts'
import { RECORD_SELECTION } from '../columns.ts'
import { timeText } from '../time-span.ts'
import { selected } from './selected.ts'
import { allOf, type Condition, type Statement, type StatementForms } from './statement.ts'

/** The records that a filter selects, in the order of `comparePositions`. @param limit a whole number */
export function selectAccesses(filter: AccessFilter, limit: number, after?: AccessPosition): Statement {
  const { sql, values } = allOf([selected(filter), ...(after === undefined ? [] : [isAfter(after)])])
  const order = 'ORDER BY "time" DESC, "lane", "sequence", "index"'
  return { sql: `SELECT ${RECORD_SELECTION} FROM accesses WHERE ${sql} ${order} LIMIT ${Math.trunc(limit)}`, values }
}

function isAfter({ time, lane, sequence, index }: AccessPosition): Condition {
  const at = timeText(time)
  const inLane = '("sequence" > ? OR ("sequence" = ? AND "index" > ?))'
  return {
    sql: `("time" < CAST(? AS TIMESTAMP) OR ("time" = CAST(? AS TIMESTAMP) AND ("lane" > ? OR ("lane" = ? AND ${inLane}))))`,
    values: [at, at, lane, lane, sequence, sequence, index],
  }
}

const EVERY_MEMBER: AccessFilter = {
  patient: 'p',
  user: 'u',
  client: 'c',
  path: 'Patient.ssn',
  categoryPaths: new Set(['Patient.ssn', 'Patient.birthDate']),
  outcomes: new Set(['DISCLOSED', 'DENIED']),
  reason: 'ROLE',
  action: 'READ',
  purpose: 'TREAT',
  basis: 'CARE_TEAM',
  requestId: 'r',
  listed: true,
  persisted: false,
  from: 0,
  to: 1_000,
}

/** One filter for each member alone, one without any, one with all of them, and those that select nothing. */
export function filterForms(): AccessFilter[] {
  const members = Object.entries(EVERY_MEMBER)
  const alone = members.map(([name, value]): AccessFilter => ({ [name]: value as unknown }))
  return [{}, EVERY_MEMBER, ...alone, { outcomes: new Set() }, { categoryPaths: new Set() }]
}

export const SELECT_ACCESSES: StatementForms = {
  name: 'fieldAccesses',
  forms: () => [
    ...filterForms().map((filter) => selectAccesses(filter, 51)),
    selectAccesses(EVERY_MEMBER, 51, { time: 1_000, lane: 'l.1', sequence: 7, index: 2 }),
  ],
}
