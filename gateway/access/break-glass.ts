import type { AccessItemPlace } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { userToken } from '../crypto/tokens.ts'
import { type BreakGlassItem, type BreakGlassTable, type BreakGlassWrite, grantPlace, queuePlace } from '../store/break-glass.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, BreakGlassGrantRef } from '../model/decision.ts'
import type { EventSink } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import { breakGlassReviews } from './break-glass-reviews.ts'
import type { BreakGlassPort, GrantChange, PreparedGrant } from './break-glass-port.ts'
import { GrantList, readChunks } from './grant-list.ts'
import { MAX_RENEWALS, renewed } from './grant-renewals.ts'
import { writesOf } from './grant-writes.ts'
import { grantOf, isOpen, newGrantId, renewalCount, type StoredGrant, parseStoredGrant, sealText } from './stored-grant.ts'
import type { BreakGlassSource } from './attribute-loader.ts'
import { type ManifestItem, readManifestItems, verifyAgainstManifest } from './manifest-items.ts'
import { OpenedPatients } from './opened-patients.ts'

export interface BreakGlassParts {
  readonly table: BreakGlassTable
  readonly keyring: Keyring
  /** Whether the tenant has such a patient. @throws StoreUnavailable */
  readonly exists: (tenant: TenantId, patient: PatientId, deadline: Deadline) => Promise<boolean>
  readonly events: EventSink
  readonly now: Clock
  /** The maximum duration of a grant with all its renewals, in minutes. */
  readonly maxMinutes: number
}

/** The grants that were read for one user, with the keys and the lists of the patients. */
interface Reading {
  readonly key: PurposeKey<'access'>
  readonly user: string
  /** By patient, as read. A write requires that the manifest is unchanged. */
  readonly lists: ReadonlyMap<PatientId, GrantList>
  /** The newest grant of each patient, or its fault. */
  readonly grants: ReadonlyMap<PatientId, ManifestItem<StoredGrant>>
}

/** A change of a grant, with the other items and conditions of its transaction. */
interface ChangedGrant {
  readonly change: GrantChange
  readonly grant: StoredGrant
  readonly others?: readonly BreakGlassItem[]
  readonly writes?: readonly BreakGlassWrite[]
}

const MINUTE_MS = 60_000

/**
 * Break-glass (45 CFR 164.312(a)(2)(ii)): grants access to one patient for one user and a limited time. The grants have a table
 * of their own, so that break-glass does not depend on the memberships or consents.
 *
 * Items are sealed for their place, and the patient's manifest lists the newest grant of each user by its digest. A writer of
 * the database can therefore not forge, extend or restore a grant. A grant that does not match opens nothing and is reported to
 * operators.
 */
export function breakGlassGrants({ table, keyring, exists, events, now: clock, maxMinutes }: BreakGlassParts): BreakGlassSource {
  const read = async ({ tenant, user: name }: Caller, patients: readonly PatientId[], { signal }: Deadline): Promise<Reading> => {
    const [key, lookup] = await Promise.all([keyring.purposeKey(tenant, 'access'), keyring.purposeKey(tenant, 'lookup')])
    const user = userToken(lookup, name)
    const lists = new Map<PatientId, GrantList>()
    const grants = await readManifestItems({ tenant, events }, patients, async (pending) => {
      const loaded = await table.load(tenant, user, pending, signal)
      const read = pending.map((patient) => {
        const list = new GrantList({ key, tenant, patient }, loaded.manifests.get(patient))
        lists.set(patient, list)
        return { patient, list, place: grantPlace(tenant, patient, user) }
      })
      const chunks = read.map(({ list, place }) => ({ list, chunks: [list.chunkOf(place.sk)] }))
      await readChunks(table, chunks, signal)
      return new Map(
        read.map(({ patient, list, place }) => [patient, verifiedGrant(list, place, loaded.items.get(patient))] as const),
      )
    })
    return { key, user, lists, grants }
  }

  /** Prepares the items of a grant, with the manifest that lists them. */
  const prepare = async (
    tenant: TenantId,
    { user, lists }: Reading,
    { change, grant, others = [], writes = [] }: ChangedGrant,
    { signal }: Deadline,
  ): Promise<PreparedGrant> => {
    const patient = grant.patient as PatientId
    const list = lists.get(patient)
    if (list === undefined) throw new RangeError('The grants of a patient were not read.')
    const put = [grantPlace(tenant, patient, user), queuePlace(tenant, 'REVIEW', grant.since as Instant, grant.id)]
    const changes = { put: put.map((place) => ({ place, grant })), others }
    const items = await writesOf({ table, events }, list, changes, signal)
    return { change, grant: grantOf(grant), items: [...items, ...writes] }
  }

  const port: BreakGlassPort = {
    maxMinutes,
    async prepareGrant(caller, { patient, reason, minutes, maxPatients }, now, deadline) {
      const { tenant, user: name } = caller
      const { signal } = deadline
      const [isPatient, reading] = await Promise.all([exists(tenant, patient, deadline), read(caller, [patient], deadline)])
      if (!isPatient) return undefined
      const before = reading.grants.get(patient)
      const list = reading.lists.get(patient)
      if (before?.kind === 'FOUND' && list !== undefined && isOpen(before.content, now)) {
        const { content } = before
        if (renewalCount(content) >= MAX_RENEWALS) return 'TOO_MANY'
        const last = content.since + maxMinutes * MINUTE_MS
        const until = Math.max(content.until, Math.min(now + minutes * MINUTE_MS, last))
        const { grant, item } = await renewed({ table, events }, list, content, { at: now, until, reason }, signal)
        return await prepare(tenant, reading, { change: 'RENEWED', grant, others: [item] }, deadline)
      }
      const { key, user } = reading
      const opened = await OpenedPatients.read({ table, events, key, tenant, user }, now, signal)
      if (!opened.hasRoomFor(patient, maxPatients)) return 'TOO_MANY'
      // a grant that was tampered with is reported and overwritten: it must not prevent emergency access
      const id = newGrantId(now)
      const sealed = sealText(key, tenant, { patient, id }, 'REASON', reason)
      const grant: StoredGrant = { id, patient, user: name, reason: sealed, since: now, until: now + minutes * MINUTE_MS }
      return await prepare(tenant, reading, { change: 'BROKEN', grant, writes: [opened.counting(patient)] }, deadline)
    },
    async prepareEnd(caller, patient, id, now, deadline) {
      const reading = await read(caller, [patient], deadline)
      const item = reading.grants.get(patient)
      if (item?.kind === 'FAULT') throw new IntegrityFailure()
      const grant = item?.kind === 'FOUND' ? item.content : undefined
      if (grant?.id !== id) return undefined
      if (!isOpen(grant, now)) return { change: 'ENDED', grant: grantOf(grant), items: [] }
      return await prepare(caller.tenant, reading, { change: 'ENDED', grant: { ...grant, ended: now } }, deadline)
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

/** Verifies a user's newest grant against the patient's list. */
function verifiedGrant(list: GrantList, place: AccessItemPlace, item: Uint8Array | undefined): ManifestItem<StoredGrant> {
  const verified = verifyAgainstManifest(list, { place, name: place.sk }, item, parseStoredGrant)
  if (verified.kind !== 'NO_MANIFEST') return verified
  // the first grant of a patient creates the manifest
  return item === undefined ? { kind: 'NONE' } : { kind: 'FAULT', what: 'MANIFEST_MISSING' }
}
