import * as z from 'zod'
import { sealAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { subjectToken } from '../crypto/tokens.ts'
import {
  accessKey,
  type AccessItem,
  type AccessKey,
  type AccessKind,
  accessManifestKey,
  type AccessTable,
} from '../store/access.ts'
import type { Caller } from '../model/decision.ts'
import type { EventSink } from '../telemetry/events.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { Json, Membership, MembershipPeriod } from '../model/record.ts'
import type { RelationshipAnswer, RelationshipSource, RelationshipPeriod } from './relationships.ts'
import { type ManifestItem, readManifestItems, verifyAgainstManifest } from './manifest-items.ts'

const since = z.number().optional()
const until = z.number().optional()
const scope = z.object({ categories: z.array(z.string()), labeled: z.boolean() })
/** Limited periods are separate: a reader without support for limits must not treat them as unlimited. */
const Content = z.object({
  periods: z.array(z.object({ since, until })),
  limited: z.array(z.object({ since, until, scope })).optional(),
})
type Stored = z.infer<typeof Content>

interface MembershipParts {
  readonly table: AccessTable
  readonly keyring: Keyring
  readonly events: EventSink
}

/**
 * CARE_TEAM, SELF, PROXY and STUDY: items of the access table, keyed by patient and person. Their content is sealed, and the
 * patient's access manifest lists each item by its digest. A writer of the database can therefore forge no item, and every
 * restored or removed item is detected and reported to operators.
 *
 * - An item that is not listed does not count.
 * - If a listed item is missing or altered, the relationship is unknown.
 */
export function membershipRelationship(kind: AccessKind, { table, keyring, events }: MembershipParts): RelationshipSource {
  const subjectOf = async (caller: Caller): Promise<string | undefined> =>
    caller.fhirUser === undefined ? undefined : subjectToken(await keyring.purposeKey(caller.tenant, 'lookup'), caller.fhirUser)

  return {
    async periods(caller, patients, { signal }) {
      const { tenant } = caller
      const subject = await subjectOf(caller)
      if (subject === undefined) return new Map()
      const key = await keyring.purposeKey(tenant, 'access')
      const readItems = async (pending: readonly PatientId[]): Promise<ReadonlyMap<PatientId, ManifestItem<Stored>>> => {
        const wanted = pending.map((patient) => ({ kind, patient, subject }))
        const { items, manifests } = await table.load(tenant, wanted, signal)
        const found = new Map(items.map((item) => [item.patient, item]))
        return new Map(
          wanted.map((itemKey) => {
            const { patient } = itemKey
            return [patient, verifiedMembership(key, tenant, itemKey, found.get(patient), manifests.get(patient))]
          }),
        )
      }
      const periods = new Map<PatientId, RelationshipAnswer>()
      for (const [patient, item] of await readManifestItems({ tenant, events }, patients, readItems)) {
        if (item.kind === 'FOUND') periods.set(patient, periodsOf(item.content))
        else if (item.kind === 'NONE') periods.set(patient, [])
        // a missing manifest is a fault only if the patient exists, which this source does not know
        else if (item.kind === 'NO_MANIFEST') periods.set(patient, 'NO_MANIFEST')
        else if (item.what !== 'NOT_LISTED') periods.set(patient, 'TAMPERED')
      }
      return periods
    },
    async panel(caller, after, limit, deadline) {
      const subject = await subjectOf(caller)
      return subject === undefined ? [] : await table.patientsOf(caller.tenant, kind, subject, after, limit, deadline)
    },
  }
}

/** Verifies the item of one person and patient against the patient's manifest. */
function verifiedMembership(
  key: PurposeKey<'access'>,
  tenant: TenantId,
  itemKey: AccessKey,
  item: AccessItem | undefined,
  manifest: Uint8Array | undefined,
): ManifestItem<Stored> {
  const place = { tenant, ...accessKey(tenant, itemKey) }
  const manifestPlace = { tenant, ...accessManifestKey(tenant, itemKey.patient) }
  return verifyAgainstManifest(
    { key, place, manifestPlace, name: place.sk },
    item?.sealed,
    manifest,
    (content) => Content.safeParse(content).data,
  )
}

const periodsOf = ({ periods, limited = [] }: Stored): readonly RelationshipPeriod[] =>
  [...periods, ...limited] as unknown as readonly RelationshipPeriod[]

/**
 * Returns the item of a membership, sealed for its place.
 *
 * @throws KeyUnavailable
 */
export async function sealMembership(keyring: Keyring, tenant: TenantId, membership: Membership): Promise<AccessItem> {
  const key = await keyOf(keyring, tenant, membership)
  return {
    ...key,
    sealed: sealAccessItem(
      await keyring.purposeKey(tenant, 'access'),
      { tenant, ...accessKey(tenant, key) },
      contentOf(membership),
    ),
  }
}

/**
 * Returns the memberships that differ from the stored ones, so that a repeated import writes nothing. A membership without
 * periods ends the stored one; if none is stored, it is no change.
 *
 * @throws KeyUnavailable, StoreUnavailable
 */
export async function membershipChanged(
  keyring: Keyring,
  table: AccessTable,
  tenant: TenantId,
  memberships: readonly Membership[],
): Promise<Membership[]> {
  const seal = await keyring.purposeKey(tenant, 'access')
  const keys = await Promise.all(memberships.map(async (membership) => await keyOf(keyring, tenant, membership)))
  const stored = new Map<string, string>()
  const { items, manifests } = await table.load(tenant, keys)
  for (const item of items) {
    const place = { tenant, ...accessKey(tenant, item) }
    // an item that was tampered with counts as changed and is written again
    const verified = verifiedMembership(seal, tenant, item, item, manifests.get(item.patient))
    if (verified.kind === 'FOUND') stored.set(`${place.pk} ${place.sk}`, JSON.stringify(verified.content))
  }
  const present = new Set(items.map((item) => accessKey(tenant, item)).map(({ pk, sk }) => `${pk} ${sk}`))
  return memberships.filter((membership, index) => {
    const key = keys[index]
    if (key === undefined) return true
    const { pk, sk } = accessKey(tenant, key)
    // a membership without periods ends a stored one; without a stored one there is nothing to end
    if (membership.periods.length === 0 && !present.has(`${pk} ${sk}`)) return false
    return stored.get(`${pk} ${sk}`) !== JSON.stringify(Content.parse(contentOf(membership)))
  })
}

async function keyOf(keyring: Keyring, tenant: TenantId, { patient, relationship, fhirUser }: Membership): Promise<AccessKey> {
  return { kind: relationship, patient, subject: subjectToken(await keyring.purposeKey(tenant, 'lookup'), fhirUser) }
}

function contentOf({ periods }: Membership): Json {
  const limited = periods.flatMap((period) => {
    const { scope: within } = period
    return within === undefined
      ? []
      : [{ ...timesOf(period), scope: { categories: [...within.categories], labeled: within.labeled } }]
  })
  const whole = periods.filter((period) => period.scope === undefined).map(timesOf)
  return { periods: whole, ...(limited.length > 0 && { limited }) }
}

const timesOf = (period: MembershipPeriod): { readonly since?: Instant; readonly until?: Instant } => ({
  ...(period.since !== undefined && { since: instantOf(period.since, 'since') }),
  ...(period.until !== undefined && { until: instantOf(period.until, 'until') }),
})

/** Parses a time of the import, in UTC, `until` exclusive. An invalid `since` never begins, and an invalid `until` has passed. */
function instantOf(text: string, edge: 'since' | 'until'): Instant {
  const at = Date.parse(text)
  return (Number.isNaN(at) ? (edge === 'since' ? Number.MAX_SAFE_INTEGER : 0) : at) as Instant
}
