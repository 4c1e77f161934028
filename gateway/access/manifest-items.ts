import { accessDigest, type AccessItemPlace, openAccessItem } from '../crypto/access-seal.ts'
import { openGrantManifest } from '../crypto/grant-manifest.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { AccessFault, EventSink } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { retryOptimisticRead } from '../model/optimistic-read.ts'
import type { Json } from '../model/record.ts'

/** The result of verifying an item against the manifest. */
export type ManifestItem<T> =
  | { readonly kind: 'FOUND'; readonly content: T }
  /** Neither the manifest nor the table contains the item. */
  | { readonly kind: 'NONE' }
  /** The patient has no manifest. */
  | { readonly kind: 'NO_MANIFEST' }
  | { readonly kind: 'FAULT'; readonly what: AccessFault }

interface ManifestPlaces {
  readonly key: PurposeKey<'access'>
  readonly place: AccessItemPlace
  readonly manifestPlace: AccessItemPlace
  /** The name of the item in the manifest. */
  readonly name: string
}

const fault = (what: AccessFault): ManifestItem<never> => ({ kind: 'FAULT', what })

/**
 * Verifies an item against the manifest of its patient, `docs/sealed-field.md` section 7. An item counts only if the manifest
 * lists its digest.
 *
 * @param parse parses authentic content; returns undefined for content of another form
 * @throws KeyUnavailable
 */
export function verifyAgainstManifest<T>(
  { key, place, manifestPlace, name }: ManifestPlaces,
  item: Uint8Array | undefined,
  manifest: Uint8Array | undefined,
  parse: (content: Json) => T | undefined,
): ManifestItem<T> {
  if (manifest === undefined) return { kind: 'NO_MANIFEST' }
  try {
    const digest = openGrantManifest(key, manifestPlace, manifest).items.get(name)
    if (digest === undefined) return item === undefined ? { kind: 'NONE' } : fault('NOT_LISTED')
    if (item === undefined) return fault('MISSING')
    if (accessDigest(item) !== digest) return fault('ALTERED')
    const content = parse(openAccessItem(key, place, item))
    return content === undefined ? fault('ALTERED') : { kind: 'FOUND', content }
  } catch (error) {
    if (error instanceof IntegrityFailure) return fault('MANIFEST_ALTERED')
    throw error
  }
}

/**
 * Reads the items of patients together with the manifests that list them. A faulty item is read again, because a write in between looks
 * the same; a lasting fault is reported to operators.
 *
 * @param readItems one read for all pending patients; a patient without a result has no result here either
 */
export async function readManifestItems<T>(
  { tenant, events }: { readonly tenant: TenantId; readonly events: EventSink },
  patients: readonly PatientId[],
  readItems: (pending: readonly PatientId[]) => Promise<ReadonlyMap<PatientId, ManifestItem<T>>>,
): Promise<ReadonlyMap<PatientId, ManifestItem<T>>> {
  const items = new Map<PatientId, ManifestItem<T>>()
  if (patients.length === 0) return items
  let pending = patients
  return await retryOptimisticRead(
    async () => {
      const faulty = new Map<PatientId, ManifestItem<T> & { readonly kind: 'FAULT' }>()
      for (const [patient, item] of await readItems(pending)) {
        if (item.kind === 'FAULT') faulty.set(patient, item)
        else items.set(patient, item)
      }
      pending = [...faulty.keys()]
      return faulty.size === 0 ? { value: items } : { torn: faulty }
    },
    (faulty) => {
      for (const [patient, item] of faulty) {
        events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: item.what })
        items.set(patient, item)
      }
      return items
    },
  )
}
