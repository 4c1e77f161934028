import { randomBytes, timingSafeEqual } from 'node:crypto'
import { IntegrityFailure } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Json, RecordMetadata, RecordBinding } from '../model/record.ts'
import { encodeManifest, manifestKeyVersion, openManifest, sealedDigest } from './manifest.ts'
import type { RandomBytes } from './parts.ts'
import type { PatientKeys } from './patient-keys.ts'
import { aadPrefix, type AadPrefix } from './record-binding.ts'
import { sealedContentDigest } from './signed-content.ts'
import { openField, openMetadata, sealField, sealMetadata, type OpeningCounter } from './sealed-field.ts'

/** The stored form of a record: its manifest, and one attribute for each present value. */
export interface SealedBytes {
  readonly manifest: Uint8Array
  readonly fields: ReadonlyMap<SchemaPath, Uint8Array>
}

/** The result of comparing the attribute of a path with the manifest. */
export type Verdict = 'OPEN' | 'ABSENT' | 'INTEGRITY'

/**
 * Seals all values of a record and their manifest under the newest key of the patient.
 *
 * @param version of the record: 1 for the first, higher with each change
 * @param record the present values by path, all of the type of `place`; a composite or a list is one value. `kept`: sealed values of the
 *   former version that stay as they are. They were sealed for this record and path, under this or an earlier key of the patient
 * @throws ValueNotSealable if a value is not JSON or too long; then nothing sealed is returned
 * @throws RangeError for a version out of range, a path of another type, or a null value (leave absent values out)
 */
export function sealRecord(
  keys: PatientKeys,
  place: RecordBinding,
  version: number,
  record: {
    readonly values: ReadonlyMap<SchemaPath, Json>
    readonly kept?: ReadonlyMap<SchemaPath, Uint8Array>
    readonly metadata: RecordMetadata
  },
  random: RandomBytes = randomBytes,
): SealedBytes {
  const key = keys.current()
  const prefix = aadPrefix(place)
  const fields = new Map<SchemaPath, Uint8Array>()
  const digests = new Map<string, Uint8Array>()
  const add = (path: SchemaPath, sealed: Uint8Array): void => {
    const relative = relativePath(place.type, path)
    if (relative === undefined || digests.has(relative)) throw new RangeError('A value does not belong to the record.')
    fields.set(path, sealed)
    digests.set(relative, sealedDigest(sealed))
  }
  for (const [path, value] of record.values) {
    if (value === null) throw new RangeError('A value does not belong to the record.')
    add(path, sealField(key, prefix, path, value, random))
  }
  for (const [path, sealed] of record.kept ?? []) add(path, sealed)
  const metadata = sealMetadata(key, prefix, version, record.metadata, random)
  const content = { recordVersion: version, keyVersion: key.version, metadata, digests }
  return { manifest: encodeManifest(key.manifest, prefix, content), fields }
}

/**
 * A record with an authentic manifest for its place. Its fields are still sealed.
 *
 * The metadata is open, because a decision needs it. A field opens on request, and only a granted field may be requested (P1).
 */
export class SealedRecord {
  readonly version: number
  readonly metadata: RecordMetadata
  readonly #keys: PatientKeys
  readonly #type: TypeName
  readonly #prefix: AadPrefix
  readonly #digests: ReadonlyMap<string, Uint8Array>
  readonly #counter: OpeningCounter
  /** Attributes with a matching digest, so that a verdict and the subsequent opening hash only once. */
  readonly #listed = new Map<SchemaPath, Uint8Array>()

  /**
   * @param counter of the request; `metadata` increases here, `fields` with every `openField`
   * @throws IntegrityFailure if manifest or metadata were not made for this place, or a key version is unknown
   * @throws KeyUnavailable if the patient's key is unavailable
   */
  static open(keys: PatientKeys, place: RecordBinding, manifest: Uint8Array, counter: OpeningCounter): SealedRecord {
    return new SealedRecord(keys, place, manifest, counter)
  }

  private constructor(keys: PatientKeys, place: RecordBinding, manifest: Uint8Array, counter: OpeningCounter) {
    const key = keys.byVersion(manifestKeyVersion(manifest))
    if (!key) throw new IntegrityFailure()
    this.#keys = keys
    this.#type = place.type
    this.#prefix = aadPrefix(place)
    this.#counter = counter
    const content = openManifest(key.manifest, this.#prefix, manifest)
    const ownKeys: PatientKeys = { current: () => key, byVersion: (version) => (version === key.version ? key : undefined) }
    this.version = content.recordVersion
    this.#digests = content.digests
    this.metadata = openMetadata(ownKeys, this.#prefix, content.recordVersion, content.metadata, counter)
  }

  /** What identifies each sealed value. Two versions of a record have the same text for a value that no change gave. Opens nothing. */
  seals(): ReadonlyMap<SchemaPath, string> {
    return new Map(
      [...this.#digests].map(([path, digest]) => [
        `${this.#type}.${path}` as SchemaPath,
        Buffer.from(digest).toString('base64url'),
      ]),
    )
  }

  /** Compares an attribute with the manifest and opens nothing. A path of another type is INTEGRITY, never ABSENT. */
  verdict(path: SchemaPath, attribute: Uint8Array | undefined): Verdict {
    const relative = relativePath(this.#type, path)
    if (relative === undefined) return 'INTEGRITY'
    const digest = this.#digests.get(relative)
    if (!attribute) return digest ? 'INTEGRITY' : 'ABSENT'
    if (!digest) return 'INTEGRITY'
    if (this.#listed.get(path) === attribute) return 'OPEN'
    if (!timingSafeEqual(sealedDigest(attribute), digest)) return 'INTEGRITY'
    this.#listed.set(path, attribute)
    return 'OPEN'
  }

  /** Whether these are all values of the manifest, and no others. Opens nothing. */
  isWhole(attributes: ReadonlyMap<SchemaPath, Uint8Array>): boolean {
    return (
      attributes.size === this.#digests.size &&
      [...attributes].every(([path, attribute]) => this.verdict(path, attribute) === 'OPEN')
    )
  }

  /** The digest of the content in its sealed form, for signatures. Opens nothing. */
  get sealedDigest(): string {
    return sealedContentDigest(this.#digests, this.metadata)
  }

  /** @throws IntegrityFailure unless the verdict is OPEN and the value was sealed at this place */
  openField(path: SchemaPath, attribute: Uint8Array): Json {
    if (this.verdict(path, attribute) !== 'OPEN') throw new IntegrityFailure()
    return openField(this.#keys, this.#prefix, path, attribute, this.#counter)
  }
}

function relativePath(type: TypeName, path: SchemaPath): string | undefined {
  return path.startsWith(`${type}.`) ? path.slice(type.length + 1) : undefined
}
