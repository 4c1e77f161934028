import { type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import { laneKey } from '../../../gateway/audit/item.ts'
import type { RegisteredLane } from '../../../gateway/audit/verify/registry.ts'
import { storedEntries } from '../../gateway/audit/lane-bench.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'

/** All audit items of a tenant. */
export interface Lanes {
  /** The registry. A reader finds only registered lanes. */
  readonly registered: readonly RegisteredLane[]
  /** The entries of each lane in order, including unregistered lanes. */
  readonly entries: ReadonlyMap<string, readonly AuditEntry[]>
}

/** Reads the whole audit table with strong consistency, independent of the log's own registry. */
export async function readLanes(client: DynamoDBClient, table: string, tenant: TenantId): Promise<Lanes> {
  const registered: RegisteredLane[] = []
  const entries = new Map<string, AuditEntry[]>()
  for await (const { Items = [] } of paginateScan({ client }, { TableName: table, ConsistentRead: true })) {
    for (const item of Items) {
      const lane = item['l']?.S ?? ''
      if (!lane.startsWith(laneKey(tenant, ''))) continue
      const registry = laneKey(tenant, 'LANES#')
      if (lane.startsWith(registry)) registered.push({ tenant, lane: item['n']?.S ?? '', hour: lane.slice(registry.length) })
      else if (item['h'] !== undefined) {
        for (const entry of storedEntries(item)) entries.set(entry.lane, [...(entries.get(entry.lane) ?? []), entry])
      }
    }
  }
  for (const [lane, held] of entries)
    entries.set(
      lane,
      held.toSorted((a, b) => a.sequence - b.sequence || a.index - b.index),
    )
  return { registered, entries }
}
