import { accessDigest, type AccessItemPlace, openAccessItem } from '../crypto/access-seal.ts'
import type { AccessFault, EventSink } from '../telemetry/events.ts'
import { IntegrityFailure, StoreUnavailable } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { MAX_STILL_READS, READS_OF_DAMAGE } from '../model/optimistic-read.ts'
import type { Json } from '../model/record.ts'
import { type GrantList, isSame } from './grant-list.ts'

/** The result of verifying an item against the manifest. */
export type ManifestItem<T> =
  | { readonly kind: 'FOUND'; readonly content: T }
  /** Neither the manifest nor the table contains the item. */
  | { readonly kind: 'NONE' }
  /** The patient has no manifest. */
  | { readonly kind: 'NO_MANIFEST' }
  /** `manifest` is the manifest that was read with the item. */
  | { readonly kind: 'FAULT'; readonly what: AccessFault; readonly manifest?: Uint8Array | undefined }

/**
 * Verifies an item against the list of its patient, `docs/sealed-field.md` section 7. An item counts only if the list has its digest.
 *
 * @param name the name of the item in the list
 * @param parse parses authentic content; returns undefined for content of another form
 * @throws KeyUnavailable
 */
export function verifyAgainstManifest<T>(
  list: GrantList,
  { place, name }: { readonly place: AccessItemPlace; readonly name: string },
  item: Uint8Array | undefined,
  parse: (content: Json) => T | undefined,
): ManifestItem<T> {
  const fault = (what: AccessFault): ManifestItem<never> => ({ kind: 'FAULT', what, manifest: list.sealed })
  const listed = list.listed(name)
  if (listed.kind === 'NO_MANIFEST') return listed
  if (listed.kind === 'FAULT') return fault(listed.what)
  const { digest } = listed
  if (digest === undefined) return item === undefined ? { kind: 'NONE' } : fault('NOT_LISTED')
  if (item === undefined) return fault('MISSING')
  if (accessDigest(item) !== digest) return fault('ALTERED')
  try {
    const content = parse(openAccessItem(list.place.key, place, item))
    return content === undefined ? fault('ALTERED') : { kind: 'FOUND', content }
  } catch (error) {
    if (error instanceof IntegrityFailure) return fault('MANIFEST_ALTERED')
    throw error
  }
}

/** The manifest of a faulty item, and the number of consecutive reads that found the item faulty under it. */
interface Doubt {
  readonly manifest: Uint8Array | undefined
  readonly reads: number
}

/**
 * Reads the items of patients together with the manifests that list them. A faulty item is read again, because a write in between looks
 * the same. A write replaces the manifest, so that a fault under one manifest in three reads is damage. It is reported to operators.
 *
 * @param readItems one read for all pending patients; a patient without a result has no result here either
 * @throws StoreUnavailable if a patient is written so often that no read is consistent
 */
export async function readManifestItems<T>(
  { tenant, events }: { readonly tenant: TenantId; readonly events: EventSink },
  patients: readonly PatientId[],
  readItems: (pending: readonly PatientId[]) => Promise<ReadonlyMap<PatientId, ManifestItem<T>>>,
): Promise<ReadonlyMap<PatientId, ManifestItem<T>>> {
  const items = new Map<PatientId, ManifestItem<T>>()
  const doubts = new Map<PatientId, Doubt>()
  let pending = patients
  for (let reads = 0; pending.length > 0; reads++) {
    if (reads === MAX_STILL_READS) throw new StoreUnavailable()
    const again: PatientId[] = []
    for (const [patient, item] of await readItems(pending)) {
      items.set(patient, item)
      if (item.kind !== 'FAULT') continue
      const before = doubts.get(patient)
      const isStill = before !== undefined && isSame(before.manifest, item.manifest)
      const doubt = { manifest: item.manifest, reads: isStill ? before.reads + 1 : 1 }
      doubts.set(patient, doubt)
      if (doubt.reads < READS_OF_DAMAGE) again.push(patient)
      else events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: item.what })
    }
    pending = again
  }
  return items
}
