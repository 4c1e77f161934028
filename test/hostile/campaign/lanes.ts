import { type DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import { fromItem, LANES, laneKey } from '../../../gateway/audit/item.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'

/** All that the audit table holds of a tenant. */
export interface Lanes {
  /** The names that are registered: what is not, no reader would find. */
  readonly registered: ReadonlySet<string>
  /** The entries of each lane in order, whether it is registered or not. */
  readonly entries: ReadonlyMap<string, readonly AuditEntry[]>
}

/** Reads the whole audit table, consistently, and not by what the log itself says of it. */
export async function readLanes(client: DynamoDBClient, table: string, tenant: TenantId): Promise<Lanes> {
  const registered = new Set<string>()
  const entries = new Map<string, AuditEntry[]>()
  for await (const { Items = [] } of paginateScan({ client }, { TableName: table, ConsistentRead: true })) {
    for (const item of Items) {
      const lane = item['l']?.S ?? ''
      if (!lane.startsWith(laneKey(tenant, ''))) continue
      if (lane === laneKey(tenant, LANES)) registered.add(item['n']?.S ?? '')
      else if (item['h'] !== undefined) {
        const entry = fromItem(item)
        entries.set(entry.lane, [...(entries.get(entry.lane) ?? []), entry])
      }
    }
  }
  for (const [lane, held] of entries)
    entries.set(
      lane,
      held.toSorted((a, b) => a.sequence - b.sequence),
    )
  return { registered, entries }
}
