import * as z from 'zod'
import { accessDigest, openAccessRoot } from '../crypto/access-root.ts'
import { openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { UseKey } from '../crypto/tenant-keys.ts'
import { subjectToken } from '../crypto/tokens.ts'
import { accessKey, type AccessItem, type AccessKey, type AccessKind, accessRootKey, type AccessTable } from '../store/access.ts'
import type { Caller } from '../vocabulary/decision.ts'
import type { AccessFault, EventSink } from '../vocabulary/events.ts'
import { IntegrityFailure } from '../vocabulary/failures.ts'
import type { Instant, PatientId, TenantId } from '../vocabulary/ids.ts'
import type { Json, Membership } from '../vocabulary/record.ts'
import type { Known, RelationshipSource, Standing } from './relationships.ts'

const Content = z.object({ periods: z.array(z.object({ since: z.number().optional(), until: z.number().optional() })) })

interface MembershipParts {
  readonly table: AccessTable
  readonly keyring: Keyring
  readonly events: EventSink
}

/** A write between the reads of an item and of the root that lists it looks like tampering once; what stays so is no write. */
const READS = 3

/**
 * CARE_TEAM, SELF and PROXY: items of the access table, keyed by patient and person. Their content is sealed, and the
 * patient's sealed root lists each of them by its digest, so that a writer of the database can make none, put none back and
 * take none away unseen: it is told to operators. One that is not listed counts for nothing; where one that is listed is not
 * there as it should be, nobody can say whether the caller stands in the relationship.
 */
export function membershipRelationship(kind: AccessKind, { table, keyring, events }: MembershipParts): RelationshipSource {
  const subjectOf = async (caller: Caller): Promise<string | undefined> =>
    caller.fhirUser === undefined ? undefined : subjectToken(await keyring.useKey(caller.tenant, 'lookup'), caller.fhirUser)

  return {
    async standings(caller, patients, { signal }) {
      const { tenant } = caller
      const subject = await subjectOf(caller)
      if (subject === undefined) return new Map()
      const key = await keyring.useKey(tenant, 'access')
      const standings = new Map<PatientId, Known>()
      let pending = patients
      for (let attempt = 1; pending.length > 0; attempt++) {
        const wanted = pending.map((patient) => ({ kind, patient, subject }))
        const { items, roots } = await table.load(tenant, wanted, signal)
        const found = new Map(items.map((item) => [item.patient, item]))
        const doubtful: PatientId[] = []
        for (const asked of wanted) {
          const { patient } = asked
          const known = knownOf(key, tenant, asked, found.get(patient), roots.get(patient))
          if (typeof known !== 'string') standings.set(patient, known)
          // whether there ought to be a root is known to who finds the patient to exist
          else if (known === 'UNROOTED') standings.set(patient, known)
          else if (attempt < READS) doubtful.push(patient)
          else {
            events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: known })
            if (known !== 'NOT_LISTED') standings.set(patient, 'TAMPERED')
          }
        }
        pending = doubtful
      }
      return standings
    },
    async panel(caller, after, limit, deadline) {
      const subject = await subjectOf(caller)
      return subject === undefined ? [] : await table.patientsOf(caller.tenant, kind, subject, after, limit, deadline)
    },
  }
}

/** What root and item together say: standings, none of them where neither knows of the caller, or what is wrong. */
function knownOf(
  key: UseKey<'access'>,
  tenant: TenantId,
  asked: AccessKey,
  item: AccessItem | undefined,
  root: Uint8Array | undefined,
): readonly Standing[] | 'UNROOTED' | AccessFault {
  if (root === undefined) return 'UNROOTED'
  const place = { tenant, ...accessKey(tenant, asked) }
  try {
    const listed = openAccessRoot(key, { tenant, ...accessRootKey(tenant, asked.patient) }, root).items.get(place.sk)
    if (listed === undefined) return item === undefined ? [] : 'NOT_LISTED'
    if (item === undefined) return 'MISSING'
    if (accessDigest(item.sealed) !== listed) return 'ALTERED'
    const content = Content.safeParse(openAccessItem(key, place, item.sealed))
    return content.success ? (content.data.periods as Standing[]) : 'ALTERED'
  } catch (error) {
    if (error instanceof IntegrityFailure) return 'ROOT_ALTERED'
    throw error
  }
}

/**
 * The item of a membership, sealed for its place.
 * @throws KeyUnavailable
 */
export async function sealMembership(keyring: Keyring, tenant: TenantId, membership: Membership): Promise<AccessItem> {
  const key = await keyOf(keyring, tenant, membership)
  return {
    ...key,
    sealed: sealAccessItem(await keyring.useKey(tenant, 'access'), { tenant, ...accessKey(tenant, key) }, contentOf(membership)),
  }
}

/**
 * Those of the memberships that are not stored as they are: to load the same again writes nothing.
 * @throws KeyUnavailable, StoreUnavailable
 */
export async function membershipChanged(
  keyring: Keyring,
  table: AccessTable,
  tenant: TenantId,
  memberships: readonly Membership[],
): Promise<Membership[]> {
  const seal = await keyring.useKey(tenant, 'access')
  const keys = await Promise.all(memberships.map(async (membership) => await keyOf(keyring, tenant, membership)))
  const stored = new Map<string, string>()
  const { items, roots } = await table.load(tenant, keys)
  for (const item of items) {
    const place = { tenant, ...accessKey(tenant, item) }
    // one that was tampered with is written anew
    const known = knownOf(seal, tenant, item, item, roots.get(item.patient))
    if (typeof known !== 'string') stored.set(`${place.pk} ${place.sk}`, JSON.stringify({ periods: known }))
  }
  return memberships.filter((membership, index) => {
    const key = keys[index]
    if (key === undefined) return true
    const { pk, sk } = accessKey(tenant, key)
    return stored.get(`${pk} ${sk}`) !== JSON.stringify(contentOf(membership))
  })
}

async function keyOf(keyring: Keyring, tenant: TenantId, { patient, relationship, fhirUser }: Membership): Promise<AccessKey> {
  return { kind: relationship, patient, subject: subjectToken(await keyring.useKey(tenant, 'lookup'), fhirUser) }
}

const contentOf = ({ periods }: Membership): Json => ({
  periods: periods.map(({ since, until }) => ({
    ...(since !== undefined && { since: instantOf(since, 'since') }),
    ...(until !== undefined && { until: instantOf(until, 'until') }),
  })),
})

/** Times come from the import in UTC, `until` exclusive. One that cannot be read begins never and has ended. */
function instantOf(text: string, edge: 'since' | 'until'): Instant {
  const at = Date.parse(text)
  return (Number.isNaN(at) ? (edge === 'since' ? Number.MAX_SAFE_INTEGER : 0) : at) as Instant
}
