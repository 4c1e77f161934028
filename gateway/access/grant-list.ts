import { accessDigest } from '../crypto/access-seal.ts'
import { type Chunk, chunkHolding, chunksWithin } from '../crypto/chunk.ts'
import { type GrantDigests, type GrantManifest, openGrantChunk, openGrantManifest } from '../crypto/grant-manifest.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { type BreakGlassTable, grantChunkPlace, grantManifestPlace } from '../store/break-glass.ts'
import type { AccessFault } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'

/** The patient of a list, and the key that seals it. */
export interface GrantListPlace {
  readonly key: PurposeKey<'access'>
  readonly tenant: TenantId
  readonly patient: PatientId
}

/** The entry of a name. `digest` is undefined if the list does not have the name. */
export type ListedGrant =
  | { readonly kind: 'LISTED'; readonly digest: string | undefined }
  | { readonly kind: 'NO_MANIFEST' }
  | { readonly kind: 'FAULT'; readonly what: AccessFault }

/** The names between two names, both included. */
export interface NameRange {
  readonly from: string
  readonly to: string
}

const fault = (what: AccessFault): ListedGrant => ({ kind: 'FAULT', what })

/** The list of a patient's grants, as one read found it: the manifest, and the chunks of it that were needed. */
export class GrantList {
  readonly place: GrantListPlace
  /** The manifest as stored; undefined if the patient has none. */
  readonly sealed: Uint8Array | undefined
  readonly #manifest: GrantManifest | undefined
  readonly #chunks = new Map<number, GrantDigests | AccessFault>()

  /** @throws KeyUnavailable */
  constructor(place: GrantListPlace, sealed: Uint8Array | undefined) {
    this.place = place
    this.sealed = sealed
    this.#manifest = sealed && manifestOf(place, sealed)
  }

  /** The content of the manifest. Undefined if there is no manifest, or if it does not open. */
  get manifest(): GrantManifest | undefined {
    return this.#manifest
  }

  /** The chunk that a name belongs to; undefined if the manifest itself has the name. */
  chunkOf(name: string): Chunk | undefined {
    return chunkHolding(this.#manifest?.chunks ?? [], name)
  }

  chunksOf(range: NameRange): readonly Chunk[] {
    return chunksWithin(this.#manifest?.chunks ?? [], range)
  }

  /** The content of a chunk, or its fault; undefined if it was not read. */
  contentOf({ number }: Pick<Chunk, 'number'>): GrantDigests | AccessFault | undefined {
    return this.#chunks.get(number)
  }

  /** Adds a chunk as stored. @throws KeyUnavailable */
  add({ number, digest }: Chunk, sealed: Uint8Array | undefined): void {
    this.#chunks.set(number, this.#opened(number, digest, sealed))
  }

  /** @throws RangeError if the chunk of the name was not read, which is a fault of the caller */
  listed(name: string): ListedGrant {
    if (this.sealed === undefined) return { kind: 'NO_MANIFEST' }
    if (this.#manifest === undefined) return fault('MANIFEST_ALTERED')
    const chunk = this.chunkOf(name)
    if (chunk === undefined) return { kind: 'LISTED', digest: this.#manifest.items?.get(name) }
    const content = this.contentOf(chunk)
    if (content === undefined) throw new RangeError('The chunk of a grant was not read.')
    return typeof content === 'string' ? fault(content) : { kind: 'LISTED', digest: content.get(name) }
  }

  /** The listed names, of the manifest itself and of the chunks that were read. */
  names({ from, to }: NameRange): readonly string[] {
    const inChunks = [...this.#chunks.values()].flatMap((content) => (typeof content === 'string' ? [] : [...content.keys()]))
    return [...(this.#manifest?.items?.keys() ?? []), ...inChunks].filter((name) => name >= from && name <= to)
  }

  #opened(number: number, digest: string, sealed: Uint8Array | undefined): GrantDigests | AccessFault {
    const { key, tenant, patient } = this.place
    if (sealed === undefined) return 'MISSING'
    if (accessDigest(sealed) !== digest) return 'ALTERED'
    try {
      return openGrantChunk(key, grantChunkPlace(tenant, patient, number), sealed)
    } catch (error) {
      if (error instanceof IntegrityFailure) return 'ALTERED'
      throw error
    }
  }
}

function manifestOf({ key, tenant, patient }: GrantListPlace, sealed: Uint8Array): GrantManifest | undefined {
  try {
    return openGrantManifest(key, grantManifestPlace(tenant, patient), sealed)
  } catch (error) {
    if (error instanceof IntegrityFailure) return undefined
    throw error
  }
}

/**
 * Reads chunks of several lists in one batch. Few patients have chunks, so that most calls make no request. A chunk that was read
 * before is not read again.
 *
 * @throws StoreUnavailable, KeyUnavailable
 */
export async function readChunks(
  table: BreakGlassTable,
  wanted: readonly { readonly list: GrantList; readonly chunks: readonly (Chunk | undefined)[] }[],
  signal: AbortSignal,
): Promise<void> {
  const reads = wanted.flatMap(({ list, chunks }) => {
    const { tenant, patient } = list.place
    const unread = [...new Set(chunks)].filter((chunk) => chunk !== undefined && list.contentOf(chunk) === undefined)
    return unread.flatMap((chunk) =>
      chunk === undefined ? [] : [{ list, chunk, at: grantChunkPlace(tenant, patient, chunk.number) }],
    )
  })
  if (reads.length === 0) return
  const stored = await table.items(
    reads.map(({ at }) => at),
    signal,
  )
  for (const { list, chunk, at } of reads) list.add(chunk, stored(at))
}

/** Whether two reads found the same item. Each write of an item gives it other bytes. */
export const isSame = (one: Uint8Array | undefined, other: Uint8Array | undefined): boolean =>
  one === undefined || other === undefined ? one === other : Buffer.compare(one, other) === 0
