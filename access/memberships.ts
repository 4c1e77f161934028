import * as z from 'zod'
import { openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { subjectToken } from '../crypto/tokens.ts'
import { accessKey, type AccessItem, type AccessKey, type AccessKind, type AccessTable } from '../store/access.ts'
import type { Caller } from '../vocabulary/decision.ts'
import type { EventSink } from '../vocabulary/events.ts'
import { IntegrityFailure } from '../vocabulary/failures.ts'
import type { Instant, PatientId, TenantId } from '../vocabulary/ids.ts'
import type { Json, Membership } from '../vocabulary/record.ts'
import type { RelationshipSource, Standing } from './relationships.ts'

const Content = z.object({ periods: z.array(z.object({ since: z.number().optional(), until: z.number().optional() })) })

interface MembershipParts {
  readonly table: AccessTable
  readonly keyring: Keyring
  readonly events: EventSink
}

/**
 * CARE_TEAM, SELF and PROXY: items of the access table, keyed by patient and person. Their content is sealed, so that a writer of
 * the database can make none: one that does not open is told to operators and counts for nothing.
 */
export function membershipRelationship(kind: AccessKind, { table, keyring, events }: MembershipParts): RelationshipSource {
  const subjectOf = async (caller: Caller): Promise<string | undefined> =>
    caller.fhirUser === undefined ? undefined : subjectToken(await keyring.useKey(caller.tenant, 'lookup'), caller.fhirUser)

  return {
    async standings(caller, patients) {
      const subject = await subjectOf(caller)
      if (subject === undefined) return new Map()
      const key = await keyring.useKey(caller.tenant, 'access')
      const items = await table.load(
        caller.tenant,
        patients.map((patient) => ({ kind, patient, subject })),
      )
      const standings = new Map<PatientId, readonly Standing[]>()
      for (const item of items) {
        try {
          const content = Content.safeParse(
            openAccessItem(key, { tenant: caller.tenant, ...accessKey(caller.tenant, item) }, item.sealed),
          )
          if (!content.success) throw new IntegrityFailure()
          standings.set(item.patient, content.data.periods as Standing[])
        } catch (error) {
          if (!(error instanceof IntegrityFailure)) throw error
          events({ event: 'ACCESS_ITEM_FORGED', tenant: caller.tenant, patient: item.patient })
        }
      }
      return standings
    },
    async panel(caller, after, limit) {
      const subject = await subjectOf(caller)
      return subject === undefined ? [] : await table.patientsOf(caller.tenant, kind, subject, after, limit)
    },
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
  for (const item of await table.load(tenant, keys)) {
    const place = { tenant, ...accessKey(tenant, item) }
    try {
      stored.set(`${place.pk} ${place.sk}`, JSON.stringify(openAccessItem(seal, place, item.sealed)))
    } catch (error) {
      // one that was tampered with is written anew
      if (!(error instanceof IntegrityFailure)) throw error
    }
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
