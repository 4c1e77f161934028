import * as z from 'zod'
import { accessDigest, openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { type BreakGlassItem, type BreakGlassTable, renewalsPlace } from '../store/break-glass.ts'
import type { AccessFault } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { GrantList } from './grant-list.ts'
import { type GrantWriteParts, requireUnchanged } from './grant-writes.ts'
import { openText, renewalCount, sealText, type StoredGrant } from './stored-grant.ts'
import type { Renewal, RenewalPage } from './break-glass-port.ts'

const Group = z.array(z.object({ at: z.number(), until: z.number(), reason: z.string() }))
type Group = z.infer<typeof Group>

/** The renewals of one item, at most 140 KB. The item is written again with each of its renewals. */
const MAX_IN_GROUP = 32
/** The renewals of one grant. They are far above any emergency, and the list of their groups has less than 10 KB. */
export const MAX_RENEWALS = 10_000

/** The grant that renewals belong to, with its key. */
interface RenewalsPlace {
  readonly key: PurposeKey<'access'>
  readonly tenant: TenantId
  readonly grant: StoredGrant
}

/**
 * Adds a renewal to a grant. The reason is sealed by itself, as the first reason is. A damaged group of renewals is reported, and the
 * renewal begins the next group.
 *
 * @returns the grant after the renewal, and the item of its last group
 * @throws VersionConflict if the patient's grants changed after the list was read; StoreUnavailable, KeyUnavailable
 */
export async function renewed(
  { table, events }: GrantWriteParts,
  list: GrantList,
  grant: StoredGrant,
  { at, until, reason }: { readonly at: Instant; readonly until: number; readonly reason: string },
  signal: AbortSignal,
): Promise<{ readonly grant: StoredGrant; readonly item: BreakGlassItem }> {
  const { key, tenant, patient } = list.place
  const groups = [...(grant.renewals ?? [])]
  const last = groups.at(-1)
  let before: Group = []
  if (last !== undefined && last[0] < MAX_IN_GROUP) {
    const place = renewalsPlace(tenant, patient, grant.id, groups.length - 1)
    const group = openGroup({ key, tenant, grant }, groups.length - 1, (await table.items([place], signal))(place))
    if (typeof group === 'string') {
      await requireUnchanged(table, list, signal)
      events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: group })
    } else {
      before = group
      groups.pop()
    }
  }
  const sealed = sealText(key, tenant, grant, { renewal: renewalCount(grant) + 1 }, reason)
  const group: Group = [...before, { at, until, reason: sealed }]
  const place = renewalsPlace(tenant, patient, grant.id, groups.length)
  const item = { place, sealed: sealAccessItem(key, place, group) }
  return { grant: { ...grant, until, renewals: [...groups, [group.length, accessDigest(item.sealed)]] }, item }
}

/**
 * Reads a page of the renewals of a grant, oldest first. A read that does not fit the grant is repeated with the grant as it is then,
 * because a renewal in between looks the same.
 *
 * @param again reads the grant again; undefined if it is gone
 * @param report gets the fault of a group of renewals
 * @throws IntegrityFailure if a group of renewals is damaged; StoreUnavailable, KeyUnavailable
 */
export async function renewalsOf(
  table: BreakGlassTable,
  { key, tenant, grant }: RenewalsPlace,
  { first, skip }: RenewalPage,
  again: () => Promise<StoredGrant | undefined>,
  report: (what: AccessFault) => void,
  signal: AbortSignal,
): Promise<readonly Renewal[]> {
  const wanted: { readonly group: number; readonly before: number }[] = []
  let before = 0
  for (const [group, [count]] of (grant.renewals ?? []).entries()) {
    if (before < skip + first && before + count > skip) wanted.push({ group, before })
    before += count
  }
  const placeOf = (group: number) => renewalsPlace(tenant, grant.patient as PatientId, grant.id, group)
  const stored = await table.items(
    wanted.map(({ group }) => placeOf(group)),
    signal,
  )
  const renewals: Renewal[] = []
  for (const { group, before: earlier } of wanted) {
    const opened = openGroup({ key, tenant, grant }, group, stored(placeOf(group)))
    if (typeof opened === 'string') {
      const current = await again()
      if (current === undefined) throw new IntegrityFailure()
      if (JSON.stringify(current.renewals) !== JSON.stringify(grant.renewals)) {
        return await renewalsOf(table, { key, tenant, grant: current }, { first, skip }, again, report, signal)
      }
      report(opened)
      throw new IntegrityFailure()
    }
    for (const [index, { at, until, reason }] of opened.entries()) {
      const number = earlier + index + 1
      if (number <= skip || number > skip + first) continue
      const open = () => openText(key, tenant, grant, { renewal: number }, reason)
      renewals.push({ number, at: at as Instant, until: until as Instant, reason: open })
    }
  }
  return renewals
}

/** Opens a group of renewals if it is the item that the grant lists. @throws KeyUnavailable */
function openGroup({ key, tenant, grant }: RenewalsPlace, group: number, sealed: Uint8Array | undefined): Group | AccessFault {
  if (sealed === undefined) return 'MISSING'
  const [count, digest] = grant.renewals?.[group] ?? []
  if (accessDigest(sealed) !== digest) return 'ALTERED'
  try {
    const content = Group.safeParse(openAccessItem(key, renewalsPlace(tenant, grant.patient as PatientId, grant.id, group), sealed))
    return content.success && content.data.length === count ? content.data : 'ALTERED'
  } catch (error) {
    if (error instanceof IntegrityFailure) return 'ALTERED'
    throw error
  }
}
