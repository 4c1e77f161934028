import { DecryptCommand, EncryptCommand, InvalidCiphertextException, type KMSClient } from '@aws-sdk/client-kms'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'

/** What KMS binds a sealed digest to. Neither is a secret: both stand in KMS's own log. */
export interface SealContext {
  readonly use: 'issuer-keys'
  readonly issuer: string
}

/**
 * Seals a digest of what stands where others may write, so that what this deployment did not write there is told apart. The key
 * never leaves KMS; whoever can write to a table and not use the key makes no seal.
 */
export interface DigestSeal {
  /** @throws KeyUnavailable when KMS refuses, is out of reach or late */
  seal(digest: Uint8Array, context: SealContext, signal: AbortSignal): Promise<Uint8Array>
  /**
   * The digest that was sealed.
   *
   * @throws IntegrityFailure when it was sealed for another context, or by nobody who may; KeyUnavailable
   */
  open(sealed: Uint8Array, context: SealContext, signal: AbortSignal): Promise<Uint8Array>
}

/** By a symmetric key of KMS, whose ciphertexts are authenticated together with their context. */
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
    // the key is named: KMS would otherwise take the key that the ciphertext names, which may be anybody's
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
