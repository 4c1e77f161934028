import * as z from 'zod'
import { TableWriter } from './oversight/tables/table-writer.ts'
import { logTenants } from './oversight/tables/log-tenants.ts'
import type { TenantId } from './model/ids.ts'
import type { Clock } from './model/record.ts'
import { openObjects } from './store/open-objects.ts'
import { openTableObjects } from './store/open-tables.ts'
import { causeName, type EventSink } from './telemetry/events.ts'
import { operatorEvents } from './telemetry/operator-events.ts'

const Environment = z.object({ PHI_STAGE: z.string().min(1) })

/** No step of a pass begins later than this after its begin. A step takes at most half a minute. */
const PASS_MS = 45_000
/** New tenants are looked for this often: to list them takes a request for each tenant. */
const TENANTS_MS = 600_000

/** The audit tables of a deployment: one call a minute brings those of all tenants up to date. */
export interface TablesService {
  /** Never throws: a failure is an event. @returns whether the tables of all tenants reach the latest checkpoint */
  run(): Promise<boolean>
}

/** @throws ZodError naming the variable that is missing or malformed */
export function openTables(
  env: Readonly<Record<string, string | undefined>>,
  { now = Date.now, events }: { readonly now?: Clock; readonly events?: EventSink } = {},
): TablesService {
  const { PHI_STAGE: stage } = Environment.parse(env)
  const sink = events ?? operatorEvents({ stage, now })
  const log = openObjects(env)
  const auditTables = new TableWriter({ log, tables: openTableObjects(env), now })
  let known: { readonly tenants: readonly TenantId[]; readonly at: number } | undefined

  const passOf = async (tenant: TenantId, until: number): Promise<boolean> => {
    const began = now()
    try {
      const { manifest, added, behind, isComplete } = await auditTables.pass(tenant, until)
      const { size, files } = manifest
      sink({ event: 'TABLES_PASS', tenant, added, behind, size, files: files.length, milliseconds: now() - began })
      return isComplete
    } catch (error) {
      sink({ event: 'TABLES_FAILED', tenant, cause: causeName(error) })
      return false
    }
  }
  return {
    run: async () => {
      const until = now() + PASS_MS
      try {
        if (known === undefined || known.tenants.length === 0 || known.at + TENANTS_MS <= now())
          known = { tenants: await logTenants(log), at: now() }
      } catch (error) {
        sink({ event: 'TABLES_FAILED', cause: causeName(error) })
        return false
      }
      let complete = true
      // one after the other: memory and disk are for one table at a time
      for (const tenant of known.tenants) if (!(await passOf(tenant, until))) complete = false
      return complete
    },
  }
}
