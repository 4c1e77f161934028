import { DecryptCommand, EncryptCommand, InvalidCiphertextException, type KMSClient } from '@aws-sdk/client-kms'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'

/** The encryption context to which KMS binds a sealed digest. Neither member is secret: the log of KMS shows both. */
export interface SealContext {
  readonly use: 'issuer-keys'
  readonly issuer: string
}

/**
 * Seals digests of data in a table that others may write, so that this deployment recognizes its own data. The key never
 * leaves KMS: a writer of the table without access to the key cannot make a seal.
 */
export interface DigestSeal {
  /** @throws KeyUnavailable if KMS refuses, is unreachable or late */
  seal(digest: Uint8Array, context: SealContext, signal: AbortSignal): Promise<Uint8Array>
  /**
   * Returns the sealed digest.
   *
   * @throws IntegrityFailure if the seal is forged or belongs to another context; KeyUnavailable
   */
  open(sealed: Uint8Array, context: SealContext, signal: AbortSignal): Promise<Uint8Array>
}

/** Seals with a symmetric KMS key. KMS authenticates each ciphertext together with its context. */
export class KmsSeal implements DigestSeal {
  readonly #client: KMSClient
  readonly #keyId: string

  constructor(client: KMSClient, keyId: string) {
    this.#client = client
    this.#keyId = keyId
  }

  async seal(digest: Uint8Array, context: SealContext, abortSignal: AbortSignal): Promise<Uint8Array> {
    const command = new EncryptCommand({ KeyId: this.#keyId, Plaintext: digest, EncryptionContext: { ...context } })
    const { CiphertextBlob: sealed } = await this.#client.send(command, { abortSignal }).catch(refused)
    if (!sealed) throw new KeyUnavailable()
    return sealed
  }

  async open(sealed: Uint8Array, context: SealContext, abortSignal: AbortSignal): Promise<Uint8Array> {
    // the request names the key: otherwise KMS would use the key that the ciphertext names, which may be a foreign one
    const command = new DecryptCommand({ KeyId: this.#keyId, CiphertextBlob: sealed, EncryptionContext: { ...context } })
    const { Plaintext: digest } = await this.#client.send(command, { abortSignal }).catch(refused)
    if (!digest) throw new KeyUnavailable()
    return digest
  }
}

function refused(cause: unknown): never {
  const isForged = cause instanceof InvalidCiphertextException || (cause instanceof Error && cause.name === 'IncorrectKeyException')
  throw isForged ? new IntegrityFailure({ cause }) : new KeyUnavailable({ cause })
}
