// The library of DuckDB, in a module of its own: `table-engine.ts` loads it for the first question.
export { DuckDBInstance } from '@duckdb/node-api'
