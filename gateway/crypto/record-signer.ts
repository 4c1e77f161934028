import type { KMSClient } from '@aws-sdk/client-kms'
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { KeyUnavailable } from '../model/failures.ts'
import type { RecordSignature, SignedStatement } from '../model/signature.ts'
import { ed25519Signer } from './kms-signer.ts'
import { canonicalText } from './padded-text.ts'

/** An Ed25519 key (RFC 8032). The private half never leaves its service. */
export interface SigningKey {
  /** 32 bytes. @throws KeyUnavailable */
  publicKey(): Promise<Uint8Array>
  /**
   * Returns 64 bytes.
   *
   * @param message at most 4,096 bytes
   * @throws KeyUnavailable
   */
  sign(message: Uint8Array): Promise<Uint8Array>
}

/** Signs statements about records, and verifies signatures in this process. */
export class RecordSigner {
  readonly #keys: readonly [SigningKey, ...SigningKey[]]

  /** @param keys Ed25519 keys. The first one signs, and each verifies: a former key stays in the list as long as records have its signatures */
  constructor(keys: readonly [SigningKey, ...SigningKey[]]) {
    this.#keys = keys
  }

  /** @param keyIds ARNs or aliases of keys in AWS KMS with the spec ECC_NIST_EDWARDS25519. The client sets timeouts and attempts. */
  static ofKms(client: KMSClient, [current, ...former]: readonly [string, ...string[]]): RecordSigner {
    return new RecordSigner([ed25519Signer(client, current), ...former.map((key) => ed25519Signer(client, key))])
  }

  /** @throws KeyUnavailable */
  async sign(statement: SignedStatement): Promise<RecordSignature> {
    const [current] = this.#keys
    const message = bytesOf(statement)
    const signature = Buffer.from(await current.sign(message))
    // nothing is stored that no reader can verify
    if (!isSigned(publicKeyOf(await current.publicKey()), message, signature)) throw new KeyUnavailable()
    return { statement, signature: signature.toString('base64url') }
  }

  /**
   * Whether one of the keys signed the statement.
   *
   * @throws KeyUnavailable if a key cannot be read, and none of the others signed
   */
  async verifies({ statement, signature }: RecordSignature): Promise<boolean> {
    const [message, bytes] = [bytesOf(statement), Buffer.from(signature, 'base64url')]
    const keys = await Promise.allSettled(this.#keys.map(async (key) => await key.publicKey()))
    if (keys.some((key) => key.status === 'fulfilled' && isSigned(publicKeyOf(key.value), message, bytes))) return true
    const failed = keys.find((key) => key.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return false
  }
}

const bytesOf = (statement: SignedStatement): Buffer => Buffer.from(canonicalText(statement), 'utf8')

const publicKeyOf = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') }, format: 'jwk' })

const isSigned = (key: KeyObject, message: Buffer, signature: Buffer): boolean => verify(null, message, key, signature)
