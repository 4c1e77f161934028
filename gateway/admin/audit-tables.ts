import type { Env } from '../compose.ts'
import type { TenantId } from '../model/ids.ts'
import { TableWriter, type TablePass } from '../oversight/tables/table-writer.ts'
import { recount, type Recount } from '../oversight/tables/recount.ts'
import { openTableObjects } from '../store/open-tables.ts'
import { NoSealedLog } from '../oversight/log/stored-log.ts'
import { SealedItems } from '../oversight/tables/sealed-items.ts'
import { openAuditObjects } from './audit-objects.ts'

/** Called with the number of items that are done and the number of all. */
type Progress = (done: number, all: number) => void

/** The work of an operator on the audit tables of a tenant. Errors are those of `TableWriter` and `recount`. */
export interface TableAdmin {
  rebuild(tenant: TenantId, onProgress: Progress): Promise<TablePass>
  recount(tenant: TenantId, onProgress: Progress): Promise<Recount>
}

/** @throws NoSealedLog, ZodError */
export function openTableAdmin(env: Env): TableAdmin {
  const parts = { log: openAuditObjects(env), tables: openTableObjects(env) }
  const tables = new TableWriter({ ...parts, now: Date.now })
  return {
    rebuild: async (tenant, onProgress) => {
      // tables that exist would be emptied, and there is nothing to make new ones from
      if ((await new SealedItems(parts.log, tenant).size()) === 0)
        throw new NoSealedLog('The log of this tenant has no checkpoint yet.')
      return await tables.rebuild(tenant, onProgress)
    },
    recount: (tenant, onProgress) => recount(parts, tenant, onProgress),
  }
}
