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
/** What is limited stands apart: a reader who knows of no limits must not take it for what has none. */
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
 * CARE_TEAM, SELF and PROXY: items of the access table, keyed by patient and person. Their content is sealed, and the
 * patient's sealed root lists each of them by its digest, so that a writer of the database can make none, put none back and
 * take none away unseen: it is told to operators. One that is not listed counts for nothing; where one that is listed is not
 * there as it should be, nobody can say whether the caller stands in the relationship.
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
      const look = async (pending: readonly PatientId[]): Promise<ReadonlyMap<PatientId, ManifestItem<Stored>>> => {
        const wanted = pending.map((patient) => ({ kind, patient, subject }))
        const { items, roots } = await table.load(tenant, wanted, signal)
        const found = new Map(items.map((item) => [item.patient, item]))
        return new Map(
          wanted.map((asked) => {
            const { patient } = asked
            return [patient, verifiedMembership(key, tenant, asked, found.get(patient), roots.get(patient))]
          }),
        )
      }
      const periods = new Map<PatientId, RelationshipAnswer>()
      for (const [patient, item] of await readManifestItems({ tenant, events }, patients, look)) {
        if (item.kind === 'FOUND') periods.set(patient, periodsOf(item.content))
        else if (item.kind === 'NONE') periods.set(patient, [])
        // whether there ought to be a root is known to who finds the patient to exist
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

/** What is held of one person and patient against the patient's root. */
function verifiedMembership(
  key: PurposeKey<'access'>,
  tenant: TenantId,
  asked: AccessKey,
  item: AccessItem | undefined,
  root: Uint8Array | undefined,
): ManifestItem<Stored> {
  const place = { tenant, ...accessKey(tenant, asked) }
  const manifestPlace = { tenant, ...accessManifestKey(tenant, asked.patient) }
  return verifyAgainstManifest(
    { key, place, manifestPlace, name: place.sk },
    item?.sealed,
    root,
    (content) => Content.safeParse(content).data,
  )
}

const periodsOf = ({ periods, limited = [] }: Stored): readonly RelationshipPeriod[] =>
  [...periods, ...limited] as unknown as readonly RelationshipPeriod[]

/**
 * The item of a membership, sealed for its place.
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
 * Those of the memberships that are not stored as they are: to load the same again writes nothing, and so does the end of one that
 * never was.
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
  const { items, roots } = await table.load(tenant, keys)
  for (const item of items) {
    const place = { tenant, ...accessKey(tenant, item) }
    // one that was tampered with is written anew
    const known = verifiedMembership(seal, tenant, item, item, roots.get(item.patient))
    if (known.kind === 'FOUND') stored.set(`${place.pk} ${place.sk}`, JSON.stringify(known.content))
  }
  const present = new Set(items.map((item) => accessKey(tenant, item)).map(({ pk, sk }) => `${pk} ${sk}`))
  return memberships.filter((membership, index) => {
    const key = keys[index]
    if (key === undefined) return true
    const { pk, sk } = accessKey(tenant, key)
    // one without periods ends what is there, and is not written where nothing is
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

/** Times come from the import in UTC, `until` exclusive. One that cannot be read begins never and has ended. */
function instantOf(text: string, edge: 'since' | 'until'): Instant {
  const at = Date.parse(text)
  return (Number.isNaN(at) ? (edge === 'since' ? Number.MAX_SAFE_INTEGER : 0) : at) as Instant
}
