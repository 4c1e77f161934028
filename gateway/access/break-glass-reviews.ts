import { openAccessRoot } from '../crypto/access-manifest.ts'
import { type AccessItemPlace, openAccessItem } from '../crypto/access-seal.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { UseKey } from '../crypto/tenant-keys.ts'
import { userToken } from '../crypto/tokens.ts'
import {
  type BreakGlassTable,
  type GlassItem,
  glassName,
  glassPlace,
  type GlassQueue,
  glassRootPlace,
  queuedAs,
  queuePlace,
} from '../store/break-glass.ts'
import type { Deadline } from '../model/deadline.ts'
import type { AccessFault, EventSink } from '../telemetry/events.ts'
import { IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import type { EmergencyReviews, QueuedGrant, ReviewedGrant } from './break-glass-port.ts'
import { grantOf, isOpen, type Kept, keptOf, openText, sealText, writesOf } from './stored-grant.ts'
import { type Rooted, readRooted, rootedItem } from './manifest-items.ts'

interface ReviewParts {
  readonly table: BreakGlassTable
  readonly keyring: Keyring
  readonly events: EventSink
}

type Told = Rooted<Kept>
/** A place of the queue that was read, with what the root of its patient says of it. */
interface Looked {
  readonly position: string
  readonly patient: string
  readonly told: Told
}

/** A write between the reads of a page and of the roots looks like tampering once; what stays so is no write. */
const READS = 3
/** Stands in events for the patient of an item that does not open. */
const NO_PATIENT = 'REVIEW'

/**
 * The review of emergencies. The root of a patient lists the patient's grants in the queues by their digests: one that was altered, put back
 * or put in is found out, and one that was taken away wherever another one of the same patient is on the page.
 */
export function breakGlassReviews({ table, keyring, events }: ReviewParts): EmergencyReviews {
  const find = async (tenant: TenantId, patient: PatientId, id: string, { signal }: Deadline) => {
    const key = await keyring.useKey(tenant, 'access')
    let root: Uint8Array | undefined
    const known = await readRooted({ tenant, events }, [patient], async (): Promise<ReadonlyMap<PatientId, Told>> => {
      root = (await table.roots(tenant, [patient], signal)).get(patient)
      const place = root && placeIn(key, tenant, patient, root, id)
      if (place === undefined) return new Map<PatientId, Told>([[patient, { kind: 'NONE', erased: false }]])
      if (typeof place === 'string') return new Map<PatientId, Told>([[patient, { kind: 'FAULT', what: place }]])
      return new Map([[patient, held(key, tenant, patient, place, await table.item(place, signal), root)]])
    })
    const told = known.get(patient)
    if (told?.kind === 'FAULT') throw new IntegrityFailure()
    return { key, root, kept: told?.kind === 'FOUND' ? told.content : undefined }
  }

  const look = async (
    key: UseKey<'access'>,
    tenant: TenantId,
    queue: GlassQueue,
    { after, limit }: { readonly after: string | undefined; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ looked: readonly Looked[]; more: boolean }> => {
    const read = await table.queue(tenant, queue, after, limit + 1, signal)
    const items = read.slice(0, limit)
    const more = read.length > limit
    const opened = items.map((item) => ({ item, patient: patientOf(key, item) }))
    const patients = [...new Set(opened.flatMap(({ patient }) => patient ?? []))]
    const roots = await table.roots(tenant, patients, signal)
    const looked = opened.map(({ item: { place, sealed }, patient }): Looked => {
      const told: Told =
        patient === undefined ? { kind: 'FAULT', what: 'ALTERED' } : held(key, tenant, patient, place, sealed, roots.get(patient))
      return { position: place.sk, patient: patient ?? NO_PATIENT, told }
    })
    const seen = new Set(looked.map(({ position }) => position))
    const last = more ? items.at(-1)?.place.sk : undefined
    const isWithin = (sk: string): boolean => (after === undefined || sk > after) && (last === undefined || sk <= last)
    const gone = [...roots].flatMap(([patient, root]) =>
      listedIn(key, tenant, patient, root)
        .filter(({ pk, sk }) => pk === `${tenant}#${queue}` && !seen.has(sk) && isWithin(sk))
        .map(({ sk }): Looked => ({ position: sk, patient, told: { kind: 'FAULT', what: 'MISSING' } })),
    )
    const all = [...looked, ...gone].toSorted((a, b) => (a.position < b.position ? -1 : 1))
    return { looked: all.slice(0, limit), more: more || all.length > limit }
  }

  return {
    async page(tenant, { isReviewed, after, limit }, { signal }) {
      const key = await keyring.useKey(tenant, 'access')
      const queue = isReviewed ? 'REVIEWED' : 'REVIEW'
      for (let attempt = 1; ; attempt++) {
        const { looked, more } = await look(key, tenant, queue, { after, limit }, signal)
        if (attempt < READS && looked.some(({ told }) => told.kind === 'FAULT')) continue
        const items = looked.map(({ position, patient, told }): QueuedGrant => {
          if (told.kind === 'FOUND') return { position, grant: reviewed(key, tenant, told.content) }
          if (told.kind === 'FAULT') events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: told.what })
          return { position, grant: 'DAMAGED' }
        })
        return { items, more }
      }
    },

    async reviewing(caller, patient, id, { finding, note }, now, deadline) {
      const { tenant, user } = caller
      const { key, root, kept } = await find(tenant, patient, id, deadline)
      if (kept === undefined) return undefined
      if (kept.user === user) return 'OWN'
      if (isOpen(kept, now)) return 'OPEN'
      const { review } = kept
      const said = review?.note === undefined ? undefined : openText(key, tenant, kept, 'NOTE', review.note)
      if (review?.finding === finding && review.by === user && said === note)
        return { grant: reviewed(key, tenant, kept), items: [] }
      if (review !== undefined && review.finding !== 'FOLLOW_UP') throw new VersionConflict()
      const sealed = note === undefined ? {} : { note: sealText(key, tenant, kept, 'NOTE', note) }
      const after: Kept = { ...kept, review: { finding, by: user, at: now, ...sealed } }
      const placeIn = (queue: GlassQueue): AccessItemPlace => queuePlace(tenant, queue, kept.since as Instant, id)
      const changes =
        finding === 'FOLLOW_UP'
          ? { put: [{ place: placeIn('REVIEW'), kept: after }] }
          : { put: [{ place: placeIn('REVIEWED'), kept: after }], removed: [placeIn('REVIEW')] }
      return { grant: reviewed(key, tenant, after), items: writesOf({ table, key, tenant, patient }, root, changes) }
    },

    async ending(tenant, patient, id, now, deadline) {
      const { key, root, kept } = await find(tenant, patient, id, deadline)
      if (kept === undefined) return undefined
      if (!isOpen(kept, now)) return { grant: reviewed(key, tenant, kept), items: [] }
      const after: Kept = { ...kept, ended: now }
      const holder = userToken(await keyring.useKey(tenant, 'lookup'), kept.user)
      // one that is open is the newest of its holder: the next one would have ended it
      const put = [
        { place: glassPlace(tenant, patient, holder), kept: after },
        { place: queuePlace(tenant, 'REVIEW', kept.since as Instant, id), kept: after },
      ]
      return { grant: reviewed(key, tenant, after), items: writesOf({ table, key, tenant, patient }, root, { put }) }
    },
  }
}

function held(
  key: UseKey<'access'>,
  tenant: TenantId,
  patient: PatientId,
  place: AccessItemPlace,
  sealed: Uint8Array | undefined,
  root: Uint8Array | undefined,
): Told {
  const rootPlace = glassRootPlace(tenant, patient)
  const told = rootedItem({ key, place, rootPlace, name: glassName(patient, place) }, sealed, root, keptOf)
  return told.kind === 'UNROOTED' ? { kind: 'FAULT', what: 'ROOT_MISSING' } : told
}

/** The patient of an item of a queue, as its seal has it; undefined where it does not open. */
function patientOf(key: UseKey<'access'>, { place, sealed }: GlassItem): PatientId | undefined {
  try {
    return keptOf(openAccessItem(key, place, sealed))?.patient as PatientId | undefined
  } catch (error) {
    if (error instanceof IntegrityFailure) return undefined
    throw error
  }
}

/** The places in queues that a root lists; none of one that does not open, which is told of each item of its patient. */
function listedIn(key: UseKey<'access'>, tenant: TenantId, patient: PatientId, root: Uint8Array): readonly AccessItemPlace[] {
  try {
    const { items } = openAccessRoot(key, glassRootPlace(tenant, patient), root)
    return [...items.keys()].flatMap((name) => queuedAs(tenant, name)?.place ?? [])
  } catch (error) {
    if (error instanceof IntegrityFailure) return []
    throw error
  }
}

function placeIn(
  key: UseKey<'access'>,
  tenant: TenantId,
  patient: PatientId,
  root: Uint8Array,
  id: string,
): AccessItemPlace | AccessFault | undefined {
  try {
    const { items } = openAccessRoot(key, glassRootPlace(tenant, patient), root)
    for (const name of items.keys()) {
      const queued = queuedAs(tenant, name)
      if (queued?.id === id) return queued.place
    }
    return undefined
  } catch (error) {
    if (error instanceof IntegrityFailure) return 'ROOT_ALTERED'
    throw error
  }
}

function reviewed(key: UseKey<'access'>, tenant: TenantId, kept: Kept): ReviewedGrant {
  const { user, reason, review } = kept
  if (review === undefined) return { ...grantOf(kept), user, reason: () => openText(key, tenant, kept, 'REASON', reason) }
  const { finding, by, at, note } = review
  return {
    ...grantOf(kept),
    user,
    reason: () => openText(key, tenant, kept, 'REASON', reason),
    review: {
      finding,
      by,
      at: at as Instant,
      ...(note !== undefined && { note: () => openText(key, tenant, kept, 'NOTE', note) }),
    },
  }
}
