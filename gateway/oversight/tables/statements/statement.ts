import type { SqlValue, TableQuestion } from '../audit-tables.ts'

/** A text of SQL with the values of its `?`, in their order. */
export type Statement = Pick<TableQuestion, 'sql' | 'values'>

/** The statements of one kind, in each form that the code can write. A test parses and prepares all of them. */
export interface StatementForms {
  readonly name: string
  forms(): Iterable<Statement>
}

/** A condition of a WHERE, with its values. */
export interface Condition {
  readonly sql: string
  readonly values: readonly SqlValue[]
}

/** A condition that holds if all of these do. */
export const allOf = (conditions: readonly Condition[]): Condition => ({
  sql: conditions.length === 0 ? 'TRUE' : conditions.map(({ sql }) => sql).join(' AND '),
  values: conditions.flatMap(({ values }) => values),
})

/** The `?` of a list of values: `?, ?`. */
export const marks = (values: readonly unknown[]): string => values.map(() => '?').join(', ')
