import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { IntegrityFailure } from '../model/failures.ts'
import type { Json } from '../model/record.ts'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from './access-seal.ts'
import type { Chunk } from './chunk.ts'
import { canonicalText } from './padded-text.ts'
import type { RandomBytes } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

// The access manifest of a patient and its chunks: `docs/sealed-field.md` section 7.

/** Memberships by name. A name is `kind#subject`, with a kind like `CARE_TEAM` and the token of a person or study. */
export type Memberships = ReadonlyMap<string, Json>

/** The content of a patient's access manifest. */
export interface PatientAccess {
  /** Increases by one with every change. Index root and own record name it. */
  readonly version: number
  /** The version of the patient's own record. Absent until the record is written, and after an erasure. */
  readonly own?: number
  readonly consents: readonly Json[]
  /** A few memberships are in the manifest itself. */
  readonly members?: Memberships
  /** Many memberships are in chunks, sorted by their first names. */
  readonly chunks?: readonly Chunk[]
  /** The number of the next chunk. */
  readonly next?: number
  /** The digest of the tombstone that replaced the patient's keys. Keys that exist all the same were restored. */
  readonly destroyed?: string
  /** The digest of the item with the patient's legal holds and erasure. Absent if the patient never had one. */
  readonly erasure?: string
}

// The content comes from `JSON.parse`, so that each part of it is JSON: a second check would take most of the time of an opening.
const json = z.custom<Json>()
const members = z.record(z.string(), json)
const Content = z.strictObject({
  version: z.int(),
  own: z.int().optional(),
  consents: z.array(json),
  members: members.optional(),
  chunks: z.array(z.tuple([z.string(), z.int(), z.string()])).optional(),
  next: z.int().optional(),
  destroyed: z.string().optional(),
  erasure: z.string().optional(),
})

/** @throws ValueNotSealable if the content exceeds 200 KB of text */
export function sealPatientAccess(
  key: PurposeKey<'access'>,
  place: AccessItemPlace,
  { members, chunks, ...content }: PatientAccess,
  random: RandomBytes = randomBytes,
): Uint8Array {
  const value = {
    ...content,
    ...(members && { members: Object.fromEntries(members) }),
    ...(chunks && { chunks: chunks.map(({ first, number, digest }) => [first, number, digest]) }),
  }
  return sealAccessItem(key, place, value, random)
}

/** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable if the tenant's key is unavailable */
export function openPatientAccess(key: PurposeKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): PatientAccess {
  const content = Content.safeParse(openAccessItem(key, place, sealed))
  if (!content.success) throw new IntegrityFailure()
  const { members, chunks, version, consents, own, next, destroyed, erasure } = content.data
  return {
    version,
    consents,
    ...(own !== undefined && { own }),
    ...(next !== undefined && { next }),
    ...(destroyed !== undefined && { destroyed }),
    ...(erasure !== undefined && { erasure }),
    ...(members && { members: new Map(Object.entries(members)) }),
    ...(chunks && { chunks: chunks.map(([first, number, digest]) => ({ first, number, digest })) }),
  }
}

/** @throws ValueNotSealable if the content exceeds 200 KB of text */
export function sealMembershipChunk(
  key: PurposeKey<'access'>,
  place: AccessItemPlace,
  memberships: Memberships,
  random: RandomBytes = randomBytes,
): Uint8Array {
  return sealAccessItem(key, place, Object.fromEntries(memberships), random)
}

/** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable if the tenant's key is unavailable */
export function openMembershipChunk(key: PurposeKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): Memberships {
  const content = members.safeParse(openAccessItem(key, place, sealed))
  if (!content.success) throw new IntegrityFailure()
  return new Map(Object.entries(content.data))
}

/** Whether two lists of consents are equal, whatever the order of members within a consent. */
export const sameConsents = (one: readonly Json[], other: readonly Json[]): boolean => canonicalText(one) === canonicalText(other)

/** An access manifest as stored. It is opened at most once, however many sources read it in a request. */
export class SealedPatientAccess {
  readonly place: AccessItemPlace
  readonly sealed: Uint8Array
  #opened: PatientAccess | undefined

  constructor(place: AccessItemPlace, sealed: Uint8Array) {
    this.place = place
    this.sealed = sealed
  }

  /** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable if the tenant's key is unavailable */
  open(key: PurposeKey<'access'>): PatientAccess {
    this.#opened ??= openPatientAccess(key, this.place, this.sealed)
    return this.#opened
  }
}
