import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { IntegrityFailure } from '../model/failures.ts'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from './access-seal.ts'
import type { RandomBytes } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

// The sealed list of a patient's break-glass grants: `docs/sealed-field.md` section 7.

/** The break-glass grants of one patient. This gateway never wrote an item that is not listed; a listed item must exist. */
export interface GrantManifest {
  /** Increases by one with every change. */
  readonly version: number
  /** The digest of the current item by sort key. An older item does not match it. */
  readonly items: ReadonlyMap<string, string>
}

const Content = z.object({ version: z.number(), items: z.record(z.string(), z.string()) })

/** @throws ValueNotSealable if the list exceeds 200 KB of text, which is about 3,000 items */
export function sealGrantManifest(
  key: PurposeKey<'access'>,
  place: AccessItemPlace,
  { version, items }: GrantManifest,
  random: RandomBytes = randomBytes,
): Uint8Array {
  return sealAccessItem(key, place, { version, items: Object.fromEntries(items) }, random)
}

/** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable if the tenant's key is unavailable */
export function openGrantManifest(key: PurposeKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): GrantManifest {
  const content = Content.safeParse(openAccessItem(key, place, sealed))
  if (!content.success) throw new IntegrityFailure()
  return { version: content.data.version, items: new Map(Object.entries(content.data.items)) }
}
