import type { Services } from './compose.ts'
import { isKeyDue, keysDue } from './crypto/key-schedule.ts'
import type { TenantId } from './model/ids.ts'

/**
 * Reports the keys of a tenant that are due for rotation, as an event with their number. It opens no key.
 *
 * @param days the longest time between two rotations
 * @throws StoreUnavailable
 */
export async function reportDueRotations(
  { keys, events, now }: Pick<Services, 'keys' | 'events' | 'now'>,
  tenant: TenantId,
  days: number,
): Promise<void> {
  const { tenant: item } = await keys.load(tenant, { tenantItem: true, patients: [] })
  // a tenant was listed by its item, which another writer may have removed since: its charts are KEYS_MISSING
  const due = keysDue({ tenantKeys: item?.versions ?? [], purposeKeys: item?.uses ?? [] }, days)
  const count = due.filter((key) => isKeyDue(key, now())).length
  if (count > 0) events({ event: 'KEY_ROTATION_DUE', tenant, count })
}
