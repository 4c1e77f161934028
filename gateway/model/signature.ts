import type { PatientId, RecordId, TenantId, UserId } from './ids.ts'
import type { TypeName } from '../../directives/coordinates.ts'

/**
 * What a signer states about one version of a record. Its canonical JSON text (RFC 8785) is signed.
 *
 * A digest of a short note can be guessed, so the statement never leaves the sealed metadata.
 */
export type SignedStatement = {
  readonly statement: 'phi-gateway signature v1'
  readonly tenant: TenantId
  readonly patient: PatientId
  readonly type: TypeName
  readonly id: RecordId
  /** The version that the signer read. */
  readonly version: number
  readonly user: UserId
  /** The FHIR identity of the signer, who is the author. */
  readonly signer: string
  /** ISO 8601 in UTC with milliseconds. */
  readonly signedAt: string
  /** SHA-256 (base64url) of the values, references and open fields, as canonical JSON. It proves an exported text. */
  readonly digest: string
  /** SHA-256 (base64url) of the same content with each value in its sealed form. It changes with every change of a value. */
  readonly sealedDigest: string
}

/** A signature as it is stored, sealed with the metadata of the record. */
export type RecordSignature = {
  readonly statement: SignedStatement
  /** The signature of the statement: Ed25519 (RFC 8032), base64url. */
  readonly signature: string
}
