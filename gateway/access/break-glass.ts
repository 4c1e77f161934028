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
  /** The maximum duration of a grant, in minutes. */
  readonly maxMinutes: number
}

/** The grants that were read for one user, with the keys and manifests. */
interface Reading {
  readonly key: PurposeKey<'access'>
  readonly user: string
  /** Manifests by patient, as read. A write requires that they are unchanged. */
  readonly manifests: ReadonlyMap<PatientId, Uint8Array>
  /** The newest grant of each patient, or its fault. */
  readonly grants: ReadonlyMap<PatientId, ManifestItem<StoredGrant>>
}

const MINUTE_MS = 60_000
const ID_BYTES = 16

/**
 * Break-glass (45 CFR 164.312(a)(2)(ii)): grants access to one patient for one user and a limited time. The grants have a table
 * of their own, so that break-glass does not depend on the memberships or consents.
 *
 * Items are sealed for their place, and the patient's manifest lists the newest grant of each user by its digest. A writer of
 * the database can therefore not forge, extend or restore a grant. A grant that does not match opens nothing and is reported to
 * operators.
 */
export function breakGlassGrants({ table, keyring, exists, events, now: clock, maxMinutes }: BreakGlassParts): BreakGlassSource {
  const read = async ({ tenant, user: name }: Caller, patients: readonly PatientId[], deadline: Deadline): Promise<Reading> => {
    const [key, lookup] = await Promise.all([keyring.purposeKey(tenant, 'access'), keyring.purposeKey(tenant, 'lookup')])
    const user = userToken(lookup, name)
    const manifests = new Map<PatientId, Uint8Array>()
    const grants = await readManifestItems({ tenant, events }, patients, async (pending) => {
      const loaded = await table.load(tenant, user, pending, deadline.signal)
      for (const [patient, manifest] of loaded.manifests) manifests.set(patient, manifest)
      return new Map(
        pending.map((patient) => [
          patient,
          verifiedGrant(key, { tenant, patient, user }, loaded.manifests.get(patient), loaded.items.get(patient)),
        ]),
      )
    })
    return { key, user, manifests, grants }
  }

  /** Prepares the items of a grant and of the grants that it ends, with the manifest that lists them. */
  const prepare = (
    tenant: TenantId,
    { key, user, manifests }: Reading,
    grant: StoredGrant,
    ...ended: readonly StoredGrant[]
  ): PreparedGrant => {
    const patient = grant.patient as PatientId
    const queued = [grant, ...ended].map((one) => ({
      place: queuePlace(tenant, 'REVIEW', one.since as Instant, one.id),
      grant: one,
    }))
    const put = [{ place: grantPlace(tenant, patient, user), grant }, ...queued]
    return { grant: grantOf(grant), items: writesOf({ table, key, tenant, patient }, manifests.get(patient), { put }) }
  }

  const port: BreakGlassPort = {
    maxMinutes,
    async prepareGrant(caller, { patient, reason, minutes }, now, deadline) {
      const { tenant, user } = caller
      const [isPatient, reading] = await Promise.all([exists(tenant, patient, deadline), read(caller, [patient], deadline)])
      if (!isPatient) return undefined
      const id = randomBytes(ID_BYTES).toString('base64url')
      const sealed = sealText(reading.key, tenant, { patient, id }, 'REASON', reason)
      const grant: StoredGrant = { id, patient, user, reason: sealed, since: now, until: now + minutes * MINUTE_MS }
      const before = reading.grants.get(patient)
      // a grant that was tampered with is reported and overwritten: it must not prevent emergency access
      const replaced = before?.kind === 'FOUND' && isOpen(before.content, now) ? [{ ...before.content, ended: now }] : []
      return prepare(tenant, reading, grant, ...replaced)
    },
    async prepareEnd(caller, patient, id, now, deadline) {
      const reading = await read(caller, [patient], deadline)
      const item = reading.grants.get(patient)
      if (item?.kind === 'FAULT') throw new IntegrityFailure()
      const grant = item?.kind === 'FOUND' ? item.content : undefined
      if (grant?.id !== id) return undefined
      if (!isOpen(grant, now)) return { grant: grantOf(grant), items: [] }
      return prepare(caller.tenant, reading, { ...grant, ended: now })
    },
  }

  return {
    port,
    reviews: breakGlassReviews({ table, keyring, events }),
    async activeGrants(caller, patients, deadline) {
      const { grants } = await read(caller, patients, deadline)
      const now = clock()
      const active = new Map<PatientId, BreakGlassGrantRef>()
      for (const [patient, item] of grants) {
        if (item.kind !== 'FOUND' || !isOpen(item.content, now)) continue
        active.set(patient, { grant: item.content.id, until: item.content.until as Instant })
      }
      return active
    },
  }
}

/** Verifies a user's newest grant against the patient's manifest. */
function verifiedGrant(
  key: PurposeKey<'access'>,
  { tenant, patient, user }: { tenant: TenantId; patient: PatientId; user: string },
  manifest: Uint8Array | undefined,
  item: Uint8Array | undefined,
): ManifestItem<StoredGrant> {
  // the first grant of a patient creates the manifest
  if (manifest === undefined) return item === undefined ? { kind: 'NONE' } : { kind: 'FAULT', what: 'MANIFEST_MISSING' }
  const place = grantPlace(tenant, patient, user)
  return verifyAgainstManifest(
    { key, place, manifestPlace: grantManifestPlace(tenant, patient), name: place.sk },
    item,
    manifest,
    parseStoredGrant,
  )
}
