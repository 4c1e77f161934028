import { COUNT_ACCESSES } from './count-accesses.ts'
import { SELECT_ACCESSES } from './select-accesses.ts'
import type { StatementForms } from './statement.ts'

/** All statements over `accesses`. Add each new kind here: a test parses its forms with the grammar of Athena and prepares them in DuckDB. */
export const STATEMENTS: readonly StatementForms[] = [SELECT_ACCESSES, COUNT_ACCESSES]
