import type { EventSink } from '../../telemetry/events.ts'
import { tenantId } from '../../model/ids.ts'
import type { Hour } from '../hour.ts'
import type { CheckpointTable } from './checkpoint-table.ts'

/** A record of the stream of the audit table, as far as this code reads it. Lambda and the API of streams have the same form. */
export interface StreamRecord {
  readonly eventName?: 'INSERT' | 'MODIFY' | 'REMOVE' | undefined
  readonly dynamodb?: { readonly Keys?: Readonly<Record<string, { readonly S?: string | undefined }>> | undefined } | undefined
}

/** The key of an hour's registry of lanes: tenant and hour. */
const REGISTRY = /^([a-z0-9-]+)#LANES#(\d{4}-\d\d-\d\dT\d\d)$/

/**
 * Watches the audit table. An item that was changed or removed is an alarm, because no code of this system does either. A lane of a new
 * tenant makes the tenant known to the notary.
 *
 * @throws Error of the SDK if a tenant cannot be added: the records then come again
 */
export async function watchChanges(
  records: readonly StreamRecord[],
  { table, events }: { readonly table: Pick<CheckpointTable, 'addTenant'>; readonly events: EventSink },
): Promise<void> {
  const tenants = new Map<string, Hour>()
  for (const { eventName, dynamodb } of records) {
    const key = dynamodb?.Keys?.['l']?.S ?? ''
    const [named = ''] = key.split('#')
    // an unreadable key is a change of its own: it must not hide the alarm
    const tenant = tenantId(named)
    if (eventName === 'MODIFY' || eventName === 'REMOVE') {
      const lane = key.slice(named.length + 1)
      events({ event: 'AUDIT_CHANGED', lane, what: eventName, ...(tenant !== undefined && { tenant }) })
    } else {
      const [, registered, hour] = REGISTRY.exec(key) ?? []
      if (registered !== undefined && tenant !== undefined && !tenants.has(tenant)) tenants.set(tenant, hour as Hour)
    }
  }
  for (const [tenant, hour] of tenants) await table.addTenant(tenant, hour)
  // each process registers its lanes each hour: an hour with accesses and without this event has no watch
  events({ event: 'AUDIT_WATCHED', records: records.length })
}
