import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { IntegrityFailure } from '../model/failures.ts'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from './access-seal.ts'
import type { Chunk } from './chunk.ts'
import type { RandomBytes } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

// The sealed list of a patient's break-glass grants, and its chunks: `docs/sealed-field.md` section 7.

/** The digest of the current item by its name. An older item does not match it. */
export type GrantDigests = ReadonlyMap<string, string>

/** The break-glass grants of one patient. This gateway never wrote an item that is not listed; a listed item must exist. */
export interface GrantManifest {
  /** Increases by one with every change. */
  readonly version: number
  /** A few items are listed in the manifest itself. */
  readonly items?: GrantDigests
  /** Many items are listed in chunks, sorted by their first names. */
  readonly chunks?: readonly Chunk[]
  /** The number of the next chunk. */
  readonly next?: number
}

const digests = z.record(z.string(), z.string())
const Content = z
  .object({
    version: z.number(),
    items: digests.optional(),
    chunks: z.array(z.tuple([z.string(), z.int(), z.string()])).optional(),
    next: z.int().optional(),
  })
  .refine(({ items, chunks, next }) =>
    items === undefined ? chunks !== undefined && next !== undefined : chunks === undefined && next === undefined,
  )

/** @throws ValueNotSealable if the content exceeds 200 KB of text, which is about 2,500 chunks */
export function sealGrantManifest(
  key: PurposeKey<'access'>,
  place: AccessItemPlace,
  { version, items, chunks, next }: GrantManifest,
  random: RandomBytes = randomBytes,
): Uint8Array {
  const value = {
    version,
    ...(items && { items: Object.fromEntries(items) }),
    ...(chunks && { chunks: chunks.map(({ first, number, digest }) => [first, number, digest]) }),
    ...(next !== undefined && { next }),
  }
  return sealAccessItem(key, place, value, random)
}

/** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable if the tenant's key is unavailable */
export function openGrantManifest(key: PurposeKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): GrantManifest {
  const content = Content.safeParse(openAccessItem(key, place, sealed))
  if (!content.success) throw new IntegrityFailure()
  const { version, items, chunks, next } = content.data
  return {
    version,
    ...(items && { items: new Map(Object.entries(items)) }),
    ...(chunks && { chunks: chunks.map(([first, number, digest]) => ({ first, number, digest })) }),
    ...(next !== undefined && { next }),
  }
}

/** @throws ValueNotSealable if the content exceeds 200 KB of text */
export function sealGrantChunk(
  key: PurposeKey<'access'>,
  place: AccessItemPlace,
  listed: GrantDigests,
  random: RandomBytes = randomBytes,
): Uint8Array {
  return sealAccessItem(key, place, Object.fromEntries(listed), random)
}

/** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable if the tenant's key is unavailable */
export function openGrantChunk(key: PurposeKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): GrantDigests {
  const content = digests.safeParse(openAccessItem(key, place, sealed))
  if (!content.success) throw new IntegrityFailure()
  return new Map(Object.entries(content.data))
}
