import type { RemovableObjects } from '../../model/object-store.ts'
import type { Instant } from '../../model/ids.ts'
import type { OperationUse, OperationUses } from '../../model/operation-use.ts'
import { readManifest, type TableFile } from './manifest.ts'
import { inScratch } from './scratch.ts'
import { quoted, TableEngine } from './table-engine.ts'
import { fetchTable } from './table-store.ts'

/**
 * Counts the requests of a tenant for registered operations, from the audit tables.
 *
 * @param from milliseconds since the epoch. Files that end before are not read
 * @throws ManifestUnreadable, TableAltered, StoreUnavailable
 */
export async function operationUses(tables: RemovableObjects, tenant: string, from = 0): Promise<OperationUses> {
  const { manifest } = await readManifest(tables, tenant)
  const uses = new Map<string, OperationUse>()
  for (const file of manifest.files) {
    if (file.times[1] < from) continue
    for (const use of await usesIn(tables, file)) {
      const key = JSON.stringify([use.client, use.operationHash])
      const { requests = 0, last = use.last } = uses.get(key) ?? {}
      uses.set(key, { ...use, requests: requests + use.requests, last: Math.max(last, use.last) as Instant })
    }
  }
  const sealed = manifest.files.at(-1)?.sealed[1]
  return { uses: [...uses.values()], until: sealed === undefined ? undefined : ((sealed * 1_000) as Instant) }
}

async function usesIn(tables: RemovableObjects, file: TableFile): Promise<readonly OperationUse[]> {
  return await inScratch(async (folder) => {
    const path = await fetchTable(tables, file, folder)
    const engine = await TableEngine.open(folder)
    try {
      // each request has one part 1, so that a request with parts in several files counts once
      const rows = await engine.rows(
        `SELECT client, "operationHash" AS hash, count(DISTINCT "requestId") FILTER (part = 1) AS requests, epoch_ms(max(time)) AS last
         FROM ${quoted(path)} WHERE persisted AND client IS NOT NULL AND "operationHash" IS NOT NULL GROUP BY client, "operationHash"`,
      )
      return rows.map(({ client, hash, requests, last }) => ({
        client: String(client),
        operationHash: String(hash),
        requests: Number(requests),
        last: Number(last) as Instant,
      }))
    } finally {
      engine.close()
    }
  })
}
