import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { IntegrityFailure } from '../model/failures.ts'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from './access-seal.ts'
import { sha256 } from './derive.ts'
import type { RandomBytes } from './parts.ts'
import type { UseKey } from './tenant-keys.ts'

// What stands in the access table of one patient, sealed: `docs/sealed-field.md`, access items.

/** Which access items a patient has. One that is not in it was never written by us; one that is in it has to be there. */
export interface AccessRoot {
  /** Counts up with every change. */
  readonly version: number
  /** By sort key: the digest of the item as it is now, so that an older one does not fit. */
  readonly items: ReadonlyMap<string, string>
}

/** The entry of a patient whose keys were destroyed, with the digest of the tombstone: no kind of item is called so. */
const BURIED = '#ERASED'

/** The root of a patient whose keys are destroyed by this writing. */
export function buriedRoot({ version, items }: AccessRoot, tombstone: Uint8Array): AccessRoot {
  return { version: version + 1, items: new Map([...items, [BURIED, accessDigest(tombstone)]]) }
}

/** Whether the patient's keys were destroyed: any that are found were put back. */
export const isBuried = ({ items }: AccessRoot): boolean => items.has(BURIED)

const Content = z.object({ version: z.number(), items: z.record(z.string(), z.string()) })

/** First 16 bytes of SHA-256 of the sealed item, base64url. The key version that it was sealed under is part of the item. */
export const accessDigest = (sealed: Uint8Array): string => sha256(sealed).toString('base64url', 0, 16)

/** @throws ValueNotSealable for more items than a text of 200 KB names, some 3,000 */
export function sealAccessRoot(
  key: UseKey<'access'>,
  place: AccessItemPlace,
  { version, items }: AccessRoot,
  random: RandomBytes = randomBytes,
): Uint8Array {
  return sealAccessItem(key, place, { version, items: Object.fromEntries(items) }, random)
}

/** @throws IntegrityFailure when it was not sealed at this place; KeyUnavailable when the tenant's key cannot be had */
export function openAccessRoot(key: UseKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): AccessRoot {
  const content = Content.safeParse(openAccessItem(key, place, sealed))
  if (!content.success) throw new IntegrityFailure()
  return { version: content.data.version, items: new Map(Object.entries(content.data.items)) }
}
