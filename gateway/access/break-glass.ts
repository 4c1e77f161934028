import { randomBytes } from 'node:crypto'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { userToken } from '../crypto/tokens.ts'
import { type BreakGlassTable, grantPlace, grantManifestPlace, queuePlace } from '../store/break-glass.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, BreakGlassGrantRef } from '../model/decision.ts'
import type { EventSink } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import { breakGlassReviews } from './break-glass-reviews.ts'
import type { BreakGlassPort, PreparedGrant } from './break-glass-port.ts'
import { grantOf, isOpen, type StoredGrant, parseStoredGrant, sealText, writesOf } from './stored-grant.ts'
import type { BreakGlassSource } from './attribute-loader.ts'
import { type ManifestItem, readManifestItems, verifyAgainstManifest } from './manifest-items.ts'

export interface BreakGlassParts {
  readonly table: BreakGlassTable
  readonly keyring: Keyring
  /** Whether the tenant has such a patient. @throws StoreUnavailable */
  readonly exists: (tenant: TenantId, patient: PatientId, deadline: Deadline) => Promise<boolean>
  readonly events: EventSink
  readonly now: Clock
  /** The longest that a glass stays broken, in minutes. */
  readonly maxMinutes: number
}

/** What was read of one user and patient, and what it means. */
interface Reading {
  readonly key: PurposeKey<'access'>
  readonly user: string
  /** By patient, as they were read: what is written is written over them. */
  readonly roots: ReadonlyMap<PatientId, Uint8Array>
  /** By patient: the newest grant, or what is wrong with it. */
  readonly known: ReadonlyMap<PatientId, ManifestItem<StoredGrant>>
}

const MINUTE_MS = 60_000
const ID_BYTES = 16

/**
 * Break-glass (45 CFR 164.312(a)(2)(ii)): grants of one patient to one user for a limited time, in a table of their own, so that
 * an emergency waits neither for the memberships nor for the consents.
 *
 * Items are sealed for their place, and the patient's sealed root lists the newest grant of each user by its digest: a writer
 * of the database can make none, prolong none, and put none back that was ended. What does not fit opens nothing and is told
 * to operators.
 */
export function breakGlassGrants({ table, keyring, exists, events, now: clock, maxMinutes }: BreakGlassParts): BreakGlassSource {
  const read = async ({ tenant, user: name }: Caller, patients: readonly PatientId[], deadline: Deadline): Promise<Reading> => {
    const [key, lookup] = await Promise.all([keyring.purposeKey(tenant, 'access'), keyring.purposeKey(tenant, 'lookup')])
    const user = userToken(lookup, name)
    const roots = new Map<PatientId, Uint8Array>()
    const known = await readManifestItems({ tenant, events }, patients, async (pending) => {
      const loaded = await table.load(tenant, user, pending, deadline.signal)
      for (const [patient, root] of loaded.roots) roots.set(patient, root)
      return new Map(
        pending.map((patient) => [
          patient,
          verifiedGrant(key, { tenant, patient, user }, loaded.roots.get(patient), loaded.items.get(patient)),
        ]),
      )
    })
    return { key, user, roots, known }
  }

  /** The items of a grant and of what it replaces, with the root that lists it. */
  const prepare = (
    tenant: TenantId,
    { key, user, roots }: Reading,
    grant: StoredGrant,
    ...ended: readonly StoredGrant[]
  ): PreparedGrant => {
    const patient = grant.patient as PatientId
    const queued = [grant, ...ended].map((one) => ({
      place: queuePlace(tenant, 'REVIEW', one.since as Instant, one.id),
      grant: one,
    }))
    const put = [{ place: grantPlace(tenant, patient, user), grant }, ...queued]
    return { grant: grantOf(grant), items: writesOf({ table, key, tenant, patient }, roots.get(patient), { put }) }
  }

  const port: BreakGlassPort = {
    maxMinutes,
    async prepareGrant(caller, { patient, reason, minutes }, now, deadline) {
      const { tenant, user } = caller
      const [isThere, reading] = await Promise.all([exists(tenant, patient, deadline), read(caller, [patient], deadline)])
      if (!isThere) return undefined
      const id = randomBytes(ID_BYTES).toString('base64url')
      const sealed = sealText(reading.key, tenant, { patient, id }, 'REASON', reason)
      const grant: StoredGrant = { id, patient, user, reason: sealed, since: now, until: now + minutes * MINUTE_MS }
      const before = reading.known.get(patient)
      // what was tampered with is told of and written anew: it must not stand in the way of an emergency
      const replaced = before?.kind === 'FOUND' && isOpen(before.content, now) ? [{ ...before.content, ended: now }] : []
      return prepare(tenant, reading, grant, ...replaced)
    },
    async prepareEnd(caller, patient, id, now, deadline) {
      const reading = await read(caller, [patient], deadline)
      const known = reading.known.get(patient)
      if (known?.kind === 'FAULT') throw new IntegrityFailure()
      const grant = known?.kind === 'FOUND' ? known.content : undefined
      if (grant?.id !== id) return undefined
      if (!isOpen(grant, now)) return { grant: grantOf(grant), items: [] }
      return prepare(caller.tenant, reading, { ...grant, ended: now })
    },
  }

  return {
    port,
    reviews: breakGlassReviews({ table, keyring, events }),
    async activeGrants(caller, patients, deadline) {
      const { known } = await read(caller, patients, deadline)
      const now = clock()
      const found = new Map<PatientId, BreakGlassGrantRef>()
      for (const [patient, one] of known) {
        if (one.kind !== 'FOUND' || !isOpen(one.content, now)) continue
        found.set(patient, { grant: one.content.id, until: one.content.until as Instant })
      }
      return found
    },
  }
}

/** What root and item together say of a user's newest grant. */
function verifiedGrant(
  key: PurposeKey<'access'>,
  { tenant, patient, user }: { tenant: TenantId; patient: PatientId; user: string },
  root: Uint8Array | undefined,
  item: Uint8Array | undefined,
): ManifestItem<StoredGrant> {
  // a root begins with the first grant: until then there is neither
  if (root === undefined) return item === undefined ? { kind: 'NONE', erased: false } : { kind: 'FAULT', what: 'MANIFEST_MISSING' }
  const place = grantPlace(tenant, patient, user)
  return verifyAgainstManifest(
    { key, place, manifestPlace: grantManifestPlace(tenant, patient), name: place.sk },
    item,
    root,
    parseStoredGrant,
  )
}
