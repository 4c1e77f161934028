import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { IntegrityFailure } from '../model/failures.ts'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from './access-seal.ts'
import { sha256 } from './derive.ts'
import type { RandomBytes } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

// The sealed list of a patient's access items: `docs/sealed-field.md` section 7.

/** The access items of one patient. This gateway never wrote an item that is not listed; a listed item must exist. */
export interface AccessManifest {
  /** Increases by one with every change. */
  readonly version: number
  /** The digest of the current item by sort key. An older item does not match it. */
  readonly items: ReadonlyMap<string, string>
}

/** The entry for destroyed keys, with the digest of the tombstone. No kind of item has this name. */
const KEYS_DESTROYED = '#ERASED'

/** Returns the manifest for the write that destroys the patient's keys. */
export function manifestAfterKeyDestruction({ version, items }: AccessManifest, tombstone: Uint8Array): AccessManifest {
  return { version: version + 1, items: new Map([...items, [KEYS_DESTROYED, accessDigest(tombstone)]]) }
}

/** Whether the patient's keys were destroyed. Keys that exist all the same were put back. */
export const areKeysDestroyed = ({ items }: AccessManifest): boolean => items.has(KEYS_DESTROYED)

const Content = z.object({ version: z.number(), items: z.record(z.string(), z.string()) })

/** The first 16 bytes of the SHA-256 of a sealed item, base64url. The item includes the version of its key. */
export const accessDigest = (sealed: Uint8Array): string => sha256(sealed).toString('base64url', 0, 16)

/** @throws ValueNotSealable if the list exceeds 200 KB of text, which is about 3,000 items */
export function sealAccessManifest(
  key: PurposeKey<'access'>,
  place: AccessItemPlace,
  { version, items }: AccessManifest,
  random: RandomBytes = randomBytes,
): Uint8Array {
  return sealAccessItem(key, place, { version, items: Object.fromEntries(items) }, random)
}

/** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable if the tenant's key is unavailable */
export function openAccessManifest(key: PurposeKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): AccessManifest {
  const content = Content.safeParse(openAccessItem(key, place, sealed))
  if (!content.success) throw new IntegrityFailure()
  return { version: content.data.version, items: new Map(Object.entries(content.data.items)) }
}
