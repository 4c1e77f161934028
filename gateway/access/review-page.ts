import { type AccessItemPlace, openAccessItem } from '../crypto/access-seal.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import {
  type BreakGlassItem,
  type BreakGlassTable,
  grantName,
  namesOfQueue,
  queuedAs,
  type ReviewQueueName,
} from '../store/break-glass.ts'
import type { AccessFault } from '../telemetry/events.ts'
import { IntegrityFailure, StoreUnavailable } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { MAX_STILL_READS, READS_OF_DAMAGE } from '../model/optimistic-read.ts'
import { GrantList, type NameRange, readChunks } from './grant-list.ts'
import { type ManifestItem, verifyAgainstManifest } from './manifest-items.ts'
import { parseStoredGrant, type StoredGrant } from './stored-grant.ts'

export type ReadGrant = ManifestItem<StoredGrant>

/** A position in a queue, with its grant verified against the list of the patient. */
interface QueueEntry {
  readonly position: string
  readonly patient: string
  readonly item: ReadGrant
}

interface QueuePage {
  readonly entries: readonly QueueEntry[]
  readonly more: boolean
}

interface QueueParts {
  readonly table: BreakGlassTable
  readonly key: PurposeKey<'access'>
  readonly tenant: TenantId
  readonly queue: ReviewQueueName
}

interface Bounds {
  readonly after: string | undefined
  readonly limit: number
}

/** The patient in the event of an item that does not open. */
const NO_PATIENT = 'REVIEW'

/**
 * Reads a page of a queue, oldest first, with the lists that the grants are in. A page with a fault is read again, because a write in
 * between looks the same. Faults under unchanged manifests in three reads are damage, and stay on the page.
 *
 * @throws StoreUnavailable, KeyUnavailable
 */
export async function readQueuePage(parts: QueueParts, bounds: Bounds, signal: AbortSignal): Promise<QueuePage> {
  let manifests: string | undefined
  let still = 0
  for (let reads = 0; reads < MAX_STILL_READS; reads++) {
    const page = await readOnce(parts, bounds, signal)
    const faults = page.entries.flatMap(({ item }) => (item.kind === 'FAULT' ? [item] : []))
    if (faults.length === 0) return page
    const found = faults.map(({ manifest }) => Buffer.from(manifest ?? []).toString('base64')).join()
    still = found === manifests ? still + 1 : 1
    if (still === READS_OF_DAMAGE) return page
    manifests = found
  }
  throw new StoreUnavailable()
}

async function readOnce(parts: QueueParts, { after, limit }: Bounds, signal: AbortSignal): Promise<QueuePage> {
  const { table, key, tenant, queue } = parts
  const read = await table.queue(tenant, queue, after, limit + 1, signal)
  const items = read.slice(0, limit)
  const last = read.length > limit ? items.at(-1)?.place.sk : undefined
  const opened = items.map((item) => ({ item, patient: patientOf(key, item) }))
  const range = namesOfQueue(queue, after, last)
  const lists = await listsOf(parts, new Set(opened.flatMap(({ patient }) => patient ?? [])), range, signal)

  const stored = opened.map(({ item: { place, sealed }, patient }): QueueEntry => {
    const list = patient && lists.get(patient)
    const item: ReadGrant = list ? verifyQueued(list, place, sealed) : { kind: 'FAULT', what: 'ALTERED' }
    return { position: place.sk, patient: patient ?? NO_PATIENT, item }
  })
  const removed = [...lists].flatMap(([patient, list]) => {
    // the patient of an item that does not open is unknown
    const own = stored.filter((entry) => entry.patient === patient || entry.patient === NO_PATIENT)
    const seen = new Set(own.map(({ position }) => namesOfQueue(queue, position).from))
    return missingFrom(list, range, seen, after)
  })
  const entries = [...stored, ...removed].toSorted((a, b) => (a.position < b.position ? -1 : 1))
  return { entries: entries.slice(0, limit), more: last !== undefined || entries.length > limit }
}

/** The lists of these patients, with the chunks that can have a name of the page. */
async function listsOf(
  { table, key, tenant }: QueueParts,
  patients: ReadonlySet<PatientId>,
  range: NameRange,
  signal: AbortSignal,
): Promise<ReadonlyMap<PatientId, GrantList>> {
  const manifests = await table.manifests(tenant, [...patients], signal)
  const lists = new Map([...patients].map((patient) => [patient, new GrantList({ key, tenant, patient }, manifests.get(patient))]))
  await readChunks(
    table,
    [...lists.values()].map((list) => ({ list, chunks: list.chunksOf(range) })),
    signal,
  )
  return lists
}

/**
 * The positions of a page that the list of a patient has and the queue has not. A damaged chunk without a grant on the page has one
 * position: the chunk may have listed grants that were removed together with it.
 *
 * @param seen the names of the grants on the page, of this patient or of an unknown one
 */
function missingFrom(
  list: GrantList,
  range: NameRange,
  seen: ReadonlySet<string>,
  after: string | undefined,
): readonly QueueEntry[] {
  const { tenant, patient } = list.place
  const entryAt = (position: string, what: AccessFault): QueueEntry => {
    return { position, patient, item: { kind: 'FAULT', what, manifest: list.sealed } }
  }
  const missing = list.names(range).flatMap((name) => {
    const position = queuedAs(tenant, name)?.sk
    return name === range.from || position === undefined || seen.has(name) ? [] : [entryAt(position, 'MISSING')]
  })
  const damaged = list.chunksOf(range).flatMap((chunk) => {
    const content = list.contentOf(chunk)
    if (typeof content !== 'string' || [...seen].some((name) => list.chunkOf(name) === chunk)) return []
    const first = chunk.first > range.from ? queuedAs(tenant, chunk.first)?.sk : undefined
    return [entryAt(first ?? `${after ?? ''}!`, content)]
  })
  return [...missing, ...damaged]
}

/** Verifies a queued grant against the list of its patient. */
export function verifyQueued(list: GrantList, place: AccessItemPlace, sealed: Uint8Array | undefined): ReadGrant {
  const item = verifyAgainstManifest(list, { place, name: grantName(list.place.patient, place) }, sealed, parseStoredGrant)
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
