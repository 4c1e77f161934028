import type { Env } from '../compose.ts'
import type { TenantId } from '../model/ids.ts'
import { AuditTables, type TablePass } from '../oversight/tables/audit-tables.ts'
import { recount, type Recount } from '../oversight/tables/recount.ts'
import { openTableObjects } from '../store/open-tables.ts'
import { openAuditObjects } from './audit-objects.ts'

/** Called with the number of items that are done and the number of all. */
type Progress = (done: number, all: number) => void

/** The work of an operator on the audit tables of a tenant. Errors are those of `AuditTables` and `recount`. */
export interface TableAdmin {
  rebuild(tenant: TenantId, onProgress: Progress): Promise<TablePass>
  recount(tenant: TenantId, onProgress: Progress): Promise<Recount>
}

/** @throws NoSealedLog, ZodError */
export function openTableAdmin(env: Env): TableAdmin {
  const parts = { log: openAuditObjects(env), tables: openTableObjects(env) }
  const tables = new AuditTables({ ...parts, now: Date.now })
  return {
    rebuild: (tenant, onProgress) => tables.rebuild(tenant, onProgress),
    recount: (tenant, onProgress) => recount(parts, tenant, onProgress),
  }
}
