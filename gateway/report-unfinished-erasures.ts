import type { Services } from './compose.ts'
import { Deadline } from './model/deadline.ts'
import type { PatientId, TenantId } from './model/ids.ts'
import { unfinishedErasures } from './store/unfinished-erasures.ts'

/** An erasure of a chart of any size takes less. */
const UNDER_WAY_MS = 3_600_000
const PAGE = 100
const PAGE_MS = 30_000

/**
 * Reports the approved erasures of a tenant that have not finished within an hour, as an event with their number. A person must continue
 * each: nothing here may destroy keys. A damaged erasure counts, because it may be one of them.
 *
 * @throws StoreUnavailable, KeyUnavailable
 */
export async function reportUnfinishedErasures(
  { access, keyring, events, now }: Pick<Services, 'access' | 'keyring' | 'events' | 'now'>,
  tenant: TenantId,
): Promise<void> {
  const clocks = { now, monotonic: () => performance.now() }
  let count = 0
  let after: PatientId | undefined
  do {
    const deadline = new Deadline(now() + PAGE_MS, clocks)
    const { erasures, next } = await unfinishedErasures({ access, keyring }, tenant, { after, limit: PAGE, deadline })
    count += erasures.filter(({ erasure }) =>
      erasure === 'DAMAGED' ? true : erasure.approved !== undefined && erasure.approved.at + UNDER_WAY_MS <= now(),
    ).length
    after = next
  } while (after !== undefined)
  if (count > 0) events({ event: 'ERASURE_UNFINISHED', tenant, count })
}
