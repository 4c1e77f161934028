import { accessDigest, areKeysDestroyed, openAccessManifest } from '../crypto/access-manifest.ts'
import { type AccessItemPlace, openAccessItem } from '../crypto/access-seal.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { AccessFault, EventSink } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'

/** What an item and the root that lists it say together. `erased`: the root says that the patient's keys were destroyed. */
export type ManifestItem<T> =
  | { readonly kind: 'FOUND'; readonly content: T; readonly digest: string; readonly erased: boolean }
  /** Neither the root nor the table knows of it. */
  | { readonly kind: 'NONE'; readonly erased: boolean }
  /** There is no root. */
  | { readonly kind: 'NO_MANIFEST' }
  | { readonly kind: 'FAULT'; readonly what: AccessFault }

interface ManifestPlaces {
  readonly key: PurposeKey<'access'>
  readonly place: AccessItemPlace
  readonly manifestPlace: AccessItemPlace
  /** What the root calls the item. */
  readonly name: string
}

const fault = (what: AccessFault): ManifestItem<never> => ({ kind: 'FAULT', what })

/**
 * Holds an item against the root of its patient, `docs/sealed-field.md` section 7: it counts where the root lists this very item.
 *
 * @param parse the content of an item that was sealed by us; undefined where it is none
 * @throws KeyUnavailable
 */
export function verifyAgainstManifest<T>(
  { key, place, manifestPlace, name }: ManifestPlaces,
  item: Uint8Array | undefined,
  root: Uint8Array | undefined,
  parse: (content: Json) => T | undefined,
): ManifestItem<T> {
  if (root === undefined) return { kind: 'NO_MANIFEST' }
  try {
    const opened = openAccessManifest(key, manifestPlace, root)
    const erased = areKeysDestroyed(opened)
    const digest = opened.items.get(name)
    if (digest === undefined) return item === undefined ? { kind: 'NONE', erased } : fault('NOT_LISTED')
    if (item === undefined) return fault('MISSING')
    if (accessDigest(item) !== digest) return fault('ALTERED')
    const content = parse(openAccessItem(key, place, item))
    return content === undefined ? fault('ALTERED') : { kind: 'FOUND', content, digest, erased }
  } catch (error) {
    if (error instanceof IntegrityFailure) return fault('MANIFEST_ALTERED')
    throw error
  }
}

/** A write between the reads of an item and of the root that lists it looks like tampering once; what stays so is no write. */
const READS = 3

/**
 * Looks at what patients have until it fits or stays as it is; what stays unfit is told to operators.
 *
 * @param look one read of all of them; a patient who is left out is left out
 */
export async function readManifestItems<T>(
  { tenant, events }: { readonly tenant: TenantId; readonly events: EventSink },
  patients: readonly PatientId[],
  look: (pending: readonly PatientId[]) => Promise<ReadonlyMap<PatientId, ManifestItem<T>>>,
): Promise<ReadonlyMap<PatientId, ManifestItem<T>>> {
  const told = new Map<PatientId, ManifestItem<T>>()
  let pending = patients
  for (let attempt = 1; pending.length > 0; attempt++) {
    const doubtful: PatientId[] = []
    for (const [patient, item] of await look(pending)) {
      if (item.kind === 'FAULT' && attempt < READS) {
        doubtful.push(patient)
        continue
      }
      if (item.kind === 'FAULT') events({ event: 'ACCESS_ITEM_FORGED', tenant, patient, what: item.what })
      told.set(patient, item)
    }
    pending = doubtful
  }
  return told
}
