import { openGrantManifest } from '../crypto/grant-manifest.ts'
import { type AccessItemPlace, openAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { userToken } from '../crypto/tokens.ts'
import {
  type BreakGlassTable,
  type BreakGlassItem,
  grantName,
  grantPlace,
  type ReviewQueueName,
  grantManifestPlace,
  queuedAs,
  queuePlace,
} from '../store/break-glass.ts'
import type { Deadline } from '../model/deadline.ts'
import type { AccessFault, EventSink } from '../telemetry/events.ts'
import { IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import { retryOptimisticRead } from '../model/optimistic-read.ts'
import type { BreakGlassReviewPort, QueuedGrant, ReviewedGrant } from './break-glass-port.ts'
import { grantOf, isOpen, type StoredGrant, parseStoredGrant, openText, sealText, writesOf } from './stored-grant.ts'
import { type ManifestItem, readManifestItems, verifyAgainstManifest } from './manifest-items.ts'

interface ReviewParts {
  readonly table: BreakGlassTable
  readonly keyring: Keyring
  readonly events: EventSink
}

type ReadGrant = ManifestItem<StoredGrant>
/** A position in a queue, with its grant verified against the manifest of the patient. */
interface QueueEntry {
  readonly position: string
  readonly patient: string
  readonly item: ReadGrant
}

/** The patient in the event of an item that does not open. */
const NO_PATIENT = 'REVIEW'

/**
 * The review of break-glass grants. The manifest of a patient lists the patient's queued grants by their digests. An altered,
 * restored or inserted grant is therefore detected. A removed grant is detected if the page has another grant of the patient.
 */
export function breakGlassReviews({ table, keyring, events }: ReviewParts): BreakGlassReviewPort {
  const find = async (tenant: TenantId, patient: PatientId, id: string, { signal }: Deadline) => {
    const key = await keyring.purposeKey(tenant, 'access')
    let manifest: Uint8Array | undefined
    const found = await readManifestItems({ tenant, events }, [patient], async (): Promise<ReadonlyMap<PatientId, ReadGrant>> => {
      manifest = (await table.manifests(tenant, [patient], signal)).get(patient)
      const place = manifest && placeIn(key, tenant, patient, manifest, id)
      if (place === undefined) return new Map<PatientId, ReadGrant>([[patient, { kind: 'NONE' }]])
      if (typeof place === 'string') return new Map<PatientId, ReadGrant>([[patient, { kind: 'FAULT', what: place }]])
      return new Map([[patient, verifyQueued(key, tenant, patient, place, await table.item(place, signal), manifest)]])
    })
    const item = found.get(patient)
    if (item?.kind === 'FAULT') throw new IntegrityFailure()
    return { key, manifest, grant: item?.kind === 'FOUND' ? item.content : undefined }
  }

  const readPage = async (
    key: PurposeKey<'access'>,
    tenant: TenantId,
    queue: ReviewQueueName,
    { after, limit }: { readonly after: string | undefined; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ entries: readonly QueueEntry[]; more: boolean }> => {
    const read = await table.queue(tenant, queue, after, limit + 1, signal)
    const items = read.slice(0, limit)
    const more = read.length > limit
    const opened = items.map((item) => ({ item, patient: patientOf(key, item) }))
    const patients = [...new Set(opened.flatMap(({ patient }) => patient ?? []))]
    const manifests = await table.manifests(tenant, patients, signal)
    const stored = opened.map(({ item: { place, sealed }, patient }): QueueEntry => {
      const item: ReadGrant =
        patient === undefined
          ? { kind: 'FAULT', what: 'ALTERED' }
          : verifyQueued(key, tenant, patient, place, sealed, manifests.get(patient))
      return { position: place.sk, patient: patient ?? NO_PATIENT, item }
    })
    const seen = new Set(stored.map(({ position }) => position))
    const last = more ? items.at(-1)?.place.sk : undefined
    const isWithin = (sk: string): boolean => (after === undefined || sk > after) && (last === undefined || sk <= last)
    const removed = [...manifests].flatMap(([patient, manifest]) =>
      listedIn(key, tenant, patient, manifest)
        .filter(({ pk, sk }) => pk === `${tenant}#${queue}` && !seen.has(sk) && isWithin(sk))
        .map(({ sk }): QueueEntry => ({ position: sk, patient, item: { kind: 'FAULT', what: 'MISSING' } })),
    )
    const entries = [...stored, ...removed].toSorted((a, b) => (a.position < b.position ? -1 : 1))
    return { entries: entries.slice(0, limit), more: more || entries.length > limit }
  }

  return {
    async page(tenant, { isReviewed, after, limit }, { signal }) {
      const key = await keyring.purposeKey(tenant, 'access')
      const queue = isReviewed ? 'REVIEWED' : 'REVIEW'
      const { entries, more } = await retryOptimisticRead(
        async () => {
          const page = await readPage(key, tenant, queue, { after, limit }, signal)
          return page.entries.some(({ item }) => item.kind === 'FAULT') ? { torn: page } : { value: page }
        },
        // each faulty item is reported in its place on the page
        (page) => page,
      )
      const items = entries.map(({ position, patient, item }): QueuedGrant => {
        if (item.kind === 'FOUND') return { position, grant: reviewed(key, tenant, item.content) }
        if (item.kind === 'FAULT') events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: item.what })
        return { position, grant: 'DAMAGED' }
      })
      return { items, more }
    },

    async prepareReview(caller, patient, id, { finding, note }, now, deadline) {
      const { tenant, user } = caller
      const { key, manifest, grant } = await find(tenant, patient, id, deadline)
      if (grant === undefined) return undefined
      if (grant.user === user) return 'OWN'
      if (isOpen(grant, now)) return 'OPEN'
      const { review } = grant
      const noteBefore = review?.note === undefined ? undefined : openText(key, tenant, grant, 'NOTE', review.note)
      if (review?.finding === finding && review.by === user && noteBefore === note)
        return { grant: reviewed(key, tenant, grant), items: [] }
      if (review !== undefined && review.finding !== 'FOLLOW_UP') throw new VersionConflict()
      const sealed = note === undefined ? {} : { note: sealText(key, tenant, grant, 'NOTE', note) }
      const after: StoredGrant = { ...grant, review: { finding, by: user, at: now, ...sealed } }
      const placeIn = (queue: ReviewQueueName): AccessItemPlace => queuePlace(tenant, queue, grant.since as Instant, id)
      const changes =
        finding === 'FOLLOW_UP'
          ? { put: [{ place: placeIn('REVIEW'), grant: after }] }
          : { put: [{ place: placeIn('REVIEWED'), grant: after }], removed: [placeIn('REVIEW')] }
      return { grant: reviewed(key, tenant, after), items: writesOf({ table, key, tenant, patient }, manifest, changes) }
    },

    async prepareEnd(tenant, patient, id, now, deadline) {
      const { key, manifest, grant } = await find(tenant, patient, id, deadline)
      if (grant === undefined) return undefined
      if (!isOpen(grant, now)) return { grant: reviewed(key, tenant, grant), items: [] }
      const after: StoredGrant = { ...grant, ended: now }
      const holder = userToken(await keyring.purposeKey(tenant, 'lookup'), grant.user)
      // an open grant is the newest of its holder, because a newer one would have ended it
      const put = [
        { place: grantPlace(tenant, patient, holder), grant: after },
        { place: queuePlace(tenant, 'REVIEW', grant.since as Instant, id), grant: after },
      ]
      return { grant: reviewed(key, tenant, after), items: writesOf({ table, key, tenant, patient }, manifest, { put }) }
    },
  }
}

/** Verifies a queued grant against the patient's manifest. */
function verifyQueued(
  key: PurposeKey<'access'>,
  tenant: TenantId,
  patient: PatientId,
  place: AccessItemPlace,
  sealed: Uint8Array | undefined,
  manifest: Uint8Array | undefined,
): ReadGrant {
  const manifestPlace = grantManifestPlace(tenant, patient)
  const item = verifyAgainstManifest(
    { key, place, manifestPlace, name: grantName(patient, place) },
    sealed,
    manifest,
    parseStoredGrant,
  )
  return item.kind === 'NO_MANIFEST' ? { kind: 'FAULT', what: 'MANIFEST_MISSING' } : item
}

/** Returns the patient of a queue item from its sealed content; undefined if the item does not open. */
function patientOf(key: PurposeKey<'access'>, { place, sealed }: BreakGlassItem): PatientId | undefined {
  try {
    return parseStoredGrant(openAccessItem(key, place, sealed))?.patient as PatientId | undefined
  } catch (error) {
    if (error instanceof IntegrityFailure) return undefined
    throw error
  }
}

/** Returns the queue places in a manifest; none if it does not open, because then each item of the patient has that fault. */
function listedIn(
  key: PurposeKey<'access'>,
  tenant: TenantId,
  patient: PatientId,
  manifest: Uint8Array,
): readonly AccessItemPlace[] {
  try {
    const { items } = openGrantManifest(key, grantManifestPlace(tenant, patient), manifest)
    return [...items.keys()].flatMap((name) => queuedAs(tenant, name)?.place ?? [])
  } catch (error) {
    if (error instanceof IntegrityFailure) return []
    throw error
  }
}

/** Returns the queue place of the grant `id`; undefined if the manifest does not list it. */
function placeIn(
  key: PurposeKey<'access'>,
  tenant: TenantId,
  patient: PatientId,
  manifest: Uint8Array,
  id: string,
): AccessItemPlace | AccessFault | undefined {
  try {
    const { items } = openGrantManifest(key, grantManifestPlace(tenant, patient), manifest)
    for (const name of items.keys()) {
      const queued = queuedAs(tenant, name)
      if (queued?.id === id) return queued.place
    }
    return undefined
  } catch (error) {
    if (error instanceof IntegrityFailure) return 'MANIFEST_ALTERED'
    throw error
  }
}

function reviewed(key: PurposeKey<'access'>, tenant: TenantId, grant: StoredGrant): ReviewedGrant {
  const { user, reason, review } = grant
  if (review === undefined) return { ...grantOf(grant), user, reason: () => openText(key, tenant, grant, 'REASON', reason) }
  const { finding, by, at, note } = review
  return {
    ...grantOf(grant),
    user,
    reason: () => openText(key, tenant, grant, 'REASON', reason),
    review: {
      finding,
      by,
      at: at as Instant,
      ...(note !== undefined && { note: () => openText(key, tenant, grant, 'NOTE', note) }),
    },
  }
}
