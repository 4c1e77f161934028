import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { IntegrityFailure } from '../model/failures.ts'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from './access-seal.ts'
import { sha256 } from './derive.ts'
import type { RandomBytes } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

// What stands in the access table of one patient, sealed: `docs/sealed-field.md`, access items.

/** Which access items a patient has. One that is not in it was never written by us; one that is in it has to be there. */
export interface AccessManifest {
  /** Counts up with every change. */
  readonly version: number
  /** By sort key: the digest of the item as it is now, so that an older one does not fit. */
  readonly items: ReadonlyMap<string, string>
}

/** The entry of a patient whose keys were destroyed, with the digest of the tombstone: no kind of item is called so. */
const KEYS_DESTROYED = '#ERASED'

/** The root of a patient whose keys are destroyed by this writing. */
export function manifestAfterKeyDestruction({ version, items }: AccessManifest, tombstone: Uint8Array): AccessManifest {
  return { version: version + 1, items: new Map([...items, [KEYS_DESTROYED, accessDigest(tombstone)]]) }
}

/** Whether the patient's keys were destroyed: any that are found were put back. */
export const areKeysDestroyed = ({ items }: AccessManifest): boolean => items.has(KEYS_DESTROYED)

const Content = z.object({ version: z.number(), items: z.record(z.string(), z.string()) })

/** First 16 bytes of SHA-256 of the sealed item, base64url. The key version that it was sealed under is part of the item. */
export const accessDigest = (sealed: Uint8Array): string => sha256(sealed).toString('base64url', 0, 16)

/** @throws ValueNotSealable for more items than a text of 200 KB names, some 3,000 */
export function sealAccessManifest(
  key: PurposeKey<'access'>,
  place: AccessItemPlace,
  { version, items }: AccessManifest,
  random: RandomBytes = randomBytes,
): Uint8Array {
  return sealAccessItem(key, place, { version, items: Object.fromEntries(items) }, random)
}

/** @throws IntegrityFailure when it was not sealed at this place; KeyUnavailable when the tenant's key cannot be had */
export function openAccessManifest(key: PurposeKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): AccessManifest {
  const content = Content.safeParse(openAccessItem(key, place, sealed))
  if (!content.success) throw new IntegrityFailure()
  return { version: content.data.version, items: new Map(Object.entries(content.data.items)) }
}
