import { accessDigest, type AccessItemPlace, sealAccessItem } from '../crypto/access-seal.ts'
import { type GrantDigests, type GrantManifest, sealGrantChunk, sealGrantManifest } from '../crypto/grant-manifest.ts'
import {
  type BreakGlassItem,
  type BreakGlassTable,
  type BreakGlassWrite,
  grantChunkPlace,
  grantManifestPlace,
  grantName,
} from '../store/break-glass.ts'
import { ChunkedList } from '../store/chunked-list.ts'
import type { EventSink } from '../telemetry/events.ts'
import { VersionConflict } from '../model/failures.ts'
import type { Json } from '../model/record.ts'
import { type GrantList, isSame, readChunks } from './grant-list.ts'
import type { StoredGrant } from './stored-grant.ts'

/** The services that write grants. */
export interface GrantWriteParts {
  readonly table: BreakGlassTable
  readonly events: EventSink
}

/** Changes of the grants of one patient. */
export interface GrantChanges {
  readonly put: readonly { readonly place: AccessItemPlace; readonly grant: StoredGrant }[]
  readonly removed?: readonly AccessItemPlace[]
  /** Items that the manifest does not list: a grant lists them. */
  readonly others?: readonly BreakGlassItem[]
}

/** The items that a manifest lists itself, and the items of a chunk. A chunk has less than 10 KB. */
const LIMITS = { maxInline: 32, maxInChunk: 128 }

/**
 * Returns the writes of a patient's grants, and of the manifest and the chunks that list them. The list drops nothing: an item leaves
 * it only with its removal. The writes fail if the stored manifest is not the one of the list.
 *
 * A manifest or a chunk that does not open is replaced by an empty one, so that damage never prevents emergency access. The items that
 * it listed then open nothing, and the review queue shows them as damaged.
 *
 * @throws VersionConflict if the patient's grants changed after the list was read; StoreUnavailable, KeyUnavailable
 */
export async function writesOf(
  parts: GrantWriteParts,
  list: GrantList,
  { put, removed = [], others = [] }: GrantChanges,
  signal: AbortSignal,
): Promise<readonly BreakGlassWrite[]> {
  const { key, tenant, patient } = list.place
  const items = put.map(({ place, grant }) => ({ place, sealed: sealAccessItem(key, place, grant as Json) }))
  const names = [...removed, ...items.map(({ place }) => place)].map((place) => grantName(patient, place))
  const { version, items: inline, chunks, next }: GrantManifest = list.manifest ?? { version: 0 }
  const form = { ...(inline && { inline }), ...(chunks && { chunks }), ...(next !== undefined && { next }) }
  const listed = new ChunkedList(form, await openedChunks(parts, list, names, signal), LIMITS)
  for (const place of removed) listed.remove(grantName(patient, place))
  for (const { place, sealed } of items) listed.put(grantName(patient, place), accessDigest(sealed))

  const digests = new Map(chunks?.map(({ number, digest }) => [number, digest]))
  const { written, removed: emptied } = listed.changes()
  const chunkItems = written.map(({ number, entries }): BreakGlassItem => {
    const place = grantChunkPlace(tenant, patient, number)
    const sealed = sealGrantChunk(key, place, entries)
    digests.set(number, accessDigest(sealed))
    return { place, sealed }
  })
  const { inline: after, ...chunked } = listed.form(digests)
  const place = grantManifestPlace(tenant, patient)
  const manifest = sealGrantManifest(key, place, { version: version + 1, ...(after && { items: after }), ...chunked })
  const gone = [...removed, ...emptied.map((number) => grantChunkPlace(tenant, patient, number))]
  return parts.table.write({ place, sealed: manifest }, list.sealed, [...items, ...chunkItems, ...others], gone)
}

/** Returns the content of the chunks that these names belong to. A damaged chunk is reported and counts as empty. */
async function openedChunks(
  { table, events }: GrantWriteParts,
  list: GrantList,
  names: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, GrantDigests>> {
  const chunks = [...new Set(names.flatMap((name) => list.chunkOf(name) ?? []))]
  await readChunks(table, [{ list, chunks }], signal)
  const { tenant, patient } = list.place
  const opened = new Map<number, GrantDigests>()
  for (const chunk of chunks) {
    const content = list.contentOf(chunk)
    if (typeof content === 'string') {
      await requireUnchanged(table, list, signal)
      events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: content })
    }
    opened.set(chunk.number, typeof content === 'object' ? content : new Map())
  }
  return opened
}

/**
 * Distinguishes damage from a write between two reads: each write replaces the manifest.
 *
 * @throws VersionConflict if the manifest is not the one of the list any more; StoreUnavailable
 */
export async function requireUnchanged(table: BreakGlassTable, { place, sealed }: GrantList, signal: AbortSignal): Promise<void> {
  const { tenant, patient } = place
  const stored = (await table.manifests(tenant, [patient], signal)).get(patient)
  if (!isSame(stored, sealed)) throw new VersionConflict()
}
