import { Deadline } from '../../../../../gateway/model/deadline.ts'
import type { TenantId } from '../../../../../gateway/model/ids.ts'
import type { ObjectStore } from '../../../../../gateway/model/object-store.ts'
import type { AuditTables } from '../../../../../gateway/oversight/tables/audit-tables.ts'
import { DuckDbTables } from '../../../../../gateway/oversight/tables/duckdb-tables.ts'
import { Turns } from '../../../../../gateway/oversight/tables/turns.ts'
import type { FolderTables } from '../../../../../gateway/store/folder-tables.ts'
import { tabledOnly } from '../../tables/question-bench.ts'

/** The audit tables of simulated traffic, as the detection asks them. */
export function simulatedTables(tables: FolderTables, log: ObjectStore): AuditTables {
  const tenant = 'riverside' as TenantId
  return new DuckDbTables({ tenant, tables, tail: tabledOnly(log, tenant), turns: new Turns() })
}

/** Ten minutes by the wall clock. */
export const longDeadline = (): Deadline =>
  new Deadline(Date.now() + 600_000, { now: Date.now, monotonic: () => performance.now() })
