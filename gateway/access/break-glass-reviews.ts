import type { AccessItemPlace } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { userToken } from '../crypto/tokens.ts'
import {
  type BreakGlassTable,
  grantName,
  grantPlace,
  type ReviewQueueName,
  grantManifestPlace,
  queuePlace,
} from '../store/break-glass.ts'
import type { Deadline } from '../model/deadline.ts'
import type { AccessFault, EventSink } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { BreakGlassReviewPort, PreparedReview, QueuedGrant, ReviewedGrant } from './break-glass-port.ts'
import { GrantList, readChunks } from './grant-list.ts'
import { renewalsOf } from './grant-renewals.ts'
import { type GrantChanges, writesOf } from './grant-writes.ts'
import { grantOf, isOpen, type StoredGrant, openText, sealText, timeInId } from './stored-grant.ts'
import { readManifestItems } from './manifest-items.ts'
import { type ReadGrant, readQueuePage, verifyQueued } from './review-page.ts'

interface ReviewParts {
  readonly table: BreakGlassTable
  readonly keyring: Keyring
  readonly events: EventSink
}

/** A grant as its id found it, and the list of its patient. */
interface FoundGrant {
  readonly key: PurposeKey<'access'>
  readonly list: GrantList | undefined
  readonly grant: StoredGrant | undefined
}

const QUEUES = ['REVIEW', 'REVIEWED'] as const

/**
 * The review of break-glass grants. The manifest of a patient lists the patient's queued grants by their digests. An altered,
 * restored or inserted grant is therefore detected. A removed grant is detected if the page has another grant of the patient.
 */
export function breakGlassReviews({ table, keyring, events }: ReviewParts): BreakGlassReviewPort {
  const find = async (tenant: TenantId, patient: PatientId, id: string, { signal }: Deadline): Promise<FoundGrant> => {
    const key = await keyring.purposeKey(tenant, 'access')
    const places = QUEUES.map((queue) => queuePlace(tenant, queue, timeInId(id), id))
    let list: GrantList | undefined
    const found = await readManifestItems({ tenant, events }, [patient], async (): Promise<ReadonlyMap<PatientId, ReadGrant>> => {
      const manifest = grantManifestPlace(tenant, patient)
      const item = await table.items([manifest, ...places], signal)
      const read = new GrantList({ key, tenant, patient }, item(manifest))
      list = read
      await readChunks(table, [{ list: read, chunks: places.map((place) => read.chunkOf(grantName(patient, place))) }], signal)
      return new Map([[patient, foundIn(read, places, item)]])
    })
    const item = found.get(patient)
    if (item?.kind === 'FAULT') throw new IntegrityFailure()
    return { key, list, grant: item?.kind === 'FOUND' ? item.content : undefined }
  }

  const reviewed = (key: PurposeKey<'access'>, tenant: TenantId, grant: StoredGrant): ReviewedGrant => {
    const { user, reason, review } = grant
    const patient = grant.patient as PatientId
    const note = review?.note
    return {
      ...grantOf(grant),
      user,
      reason: () => openText(key, tenant, grant, 'REASON', reason),
      renewals: async (page, deadline) => {
        const again = async (): Promise<StoredGrant | undefined> => (await find(tenant, patient, grant.id, deadline)).grant
        const report = (what: AccessFault): void => events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what })
        return await renewalsOf(table, { key, tenant, grant }, page, again, report, deadline.signal)
      },
      ...(review && {
        review: {
          finding: review.finding,
          by: review.by,
          at: review.at as Instant,
          ...(note !== undefined && { note: () => openText(key, tenant, grant, 'NOTE', note) }),
        },
      }),
    }
  }

  const prepare = async (
    { key, list }: FoundGrant,
    after: StoredGrant,
    change: 'ENDED' | 'REVIEWED',
    changes: GrantChanges,
    { signal }: Deadline,
  ): Promise<PreparedReview> => {
    if (list === undefined) throw new RangeError('The grants of a patient were not read.')
    const items = await writesOf({ table, events }, list, changes, signal)
    return { change, grant: reviewed(key, list.place.tenant, after), items }
  }

  return {
    async page(tenant, { isReviewed, after, limit }, { signal }) {
      const key = await keyring.purposeKey(tenant, 'access')
      const queue = isReviewed ? 'REVIEWED' : 'REVIEW'
      const { entries, more } = await readQueuePage({ table, key, tenant, queue }, { after, limit }, signal)
      const items = entries.map(({ position, patient, item }): QueuedGrant => {
        if (item.kind === 'FOUND') return { position, grant: reviewed(key, tenant, item.content) }
        if (item.kind === 'FAULT') events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: item.what })
        return { position, grant: 'DAMAGED' }
      })
      return { items, more }
    },

    async prepareReview(caller, patient, id, { finding, note }, now, deadline) {
      const { tenant, user } = caller
      const found = await find(tenant, patient, id, deadline)
      const { key, grant } = found
      if (grant === undefined) return undefined
      if (grant.user === user) return 'OWN'
      if (isOpen(grant, now)) return 'OPEN'
      const { review } = grant
      const noteBefore = review?.note === undefined ? undefined : openText(key, tenant, grant, 'NOTE', review.note)
      if (review?.finding === finding && review.by === user && noteBefore === note)
        return { change: 'REVIEWED', grant: reviewed(key, tenant, grant), items: [] }
      if (review !== undefined && review.finding !== 'FOLLOW_UP') return 'FINAL'
      const sealed = note === undefined ? {} : { note: sealText(key, tenant, grant, 'NOTE', note) }
      const after: StoredGrant = { ...grant, review: { finding, by: user, at: now, ...sealed } }
      const placeIn = (queue: ReviewQueueName): AccessItemPlace => queuePlace(tenant, queue, grant.since as Instant, id)
      const changes =
        finding === 'FOLLOW_UP'
          ? { put: [{ place: placeIn('REVIEW'), grant: after }] }
          : { put: [{ place: placeIn('REVIEWED'), grant: after }], removed: [placeIn('REVIEW')] }
      return await prepare(found, after, 'REVIEWED', changes, deadline)
    },

    async prepareEnd(tenant, patient, id, now, deadline) {
      const found = await find(tenant, patient, id, deadline)
      const { key, grant } = found
      if (grant === undefined) return undefined
      if (!isOpen(grant, now)) return { change: 'ENDED', grant: reviewed(key, tenant, grant), items: [] }
      const after: StoredGrant = { ...grant, ended: now }
      const holder = userToken(await keyring.purposeKey(tenant, 'lookup'), grant.user)
      // an open grant is the newest of its holder, because a further call renews it
      const places = [grantPlace(tenant, patient, holder), queuePlace(tenant, 'REVIEW', grant.since as Instant, id)]
      return await prepare(found, after, 'ENDED', { put: places.map((place) => ({ place, grant: after })) }, deadline)
    },
  }
}

/** The grant of an id. The list decides which queue holds it: an item that another writer put into the other one is not listed. */
function foundIn(
  list: GrantList,
  places: readonly AccessItemPlace[],
  item: (place: AccessItemPlace) => Uint8Array | undefined,
): ReadGrant {
  for (const place of places) {
    const listed = list.listed(grantName(list.place.patient, place))
    if (listed.kind === 'NO_MANIFEST' || (listed.kind === 'LISTED' && listed.digest === undefined)) continue
    return verifyQueued(list, place, item(place))
  }
  return { kind: 'NONE' }
}
