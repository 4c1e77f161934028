import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import { sha256 } from './derive.ts'
import { canonicalText } from './padded-text.ts'

/** The part of the metadata that a signature covers. The rest follows from the values, or is no content of the record. */
type SignedMetadata = Pick<RecordMetadata, 'references' | 'open'>

/** The digest of a record's content in plaintext: SHA-256 (base64url) of canonical JSON. */
export const contentDigest = (values: ReadonlyMap<SchemaPath, Json>, metadata: SignedMetadata): string =>
  digestOf(Object.fromEntries(values), metadata)

/**
 * The digest of the same content with the digest of each sealed value in its place. It needs no opened value: a value keeps its seal until
 * it changes.
 *
 * @param sealed the digests of the manifest, by path relative to the type
 */
export const sealedContentDigest = (sealed: ReadonlyMap<string, Uint8Array>, metadata: SignedMetadata): string =>
  digestOf(Object.fromEntries([...sealed].map(([path, digest]) => [path, Buffer.from(digest).toString('base64url')])), metadata)

function digestOf(values: Readonly<Record<string, Json>>, { references, open }: SignedMetadata): string {
  return sha256(canonicalText({ values, references, open })).toString('base64url')
}
