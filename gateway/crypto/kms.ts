import { DecryptCommand, GenerateDataKeyCommand, InvalidCiphertextException, type KMSClient } from '@aws-sdk/client-kms'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import { KEY_BYTES } from './wrap.ts'

/** KMS binds the wrapped key to this context: a key of another tenant or version does not open. IAM policies can require it. */
export interface KeyContext {
  readonly tenant: string
  readonly use: 'tenant-key'
  /** Decimal. */
  readonly version: string
}

/** A key management service: its keys never leave it. `AwsKms` is the production implementation. */
export interface Kms {
  /**
   * Returns a new 256-bit key, in plaintext and wrapped.
   *
   * @throws KeyUnavailable
   */
  generateDataKey(keyId: string, context: KeyContext): Promise<{ readonly key: Uint8Array; readonly wrapped: Uint8Array }>
  /**
   * Returns the 32 bytes of a key from `generateDataKey`.
   *
   * @throws IntegrityFailure if the key was wrapped for another context, or is damaged
   * @throws KeyUnavailable if KMS refuses or is unreachable
   */
  decrypt(wrapped: Uint8Array, context: KeyContext, keyId: string): Promise<Uint8Array>
}

/** AWS KMS. The client sets timeouts and attempts. */
export class AwsKms implements Kms {
  readonly #client: KMSClient

  constructor(client: KMSClient) {
    this.#client = client
  }

  async generateDataKey(keyId: string, context: KeyContext): Promise<{ key: Uint8Array; wrapped: Uint8Array }> {
    const command = new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: 'AES_256', EncryptionContext: { ...context } })
    const answer = await this.#client.send(command).catch(refused)
    const { Plaintext: key, CiphertextBlob: wrapped } = answer
    if (key?.length === KEY_BYTES && wrapped) return { key, wrapped }
    key?.fill(0)
    throw new KeyUnavailable()
  }

  async decrypt(wrapped: Uint8Array, context: KeyContext, keyId: string): Promise<Uint8Array> {
    // the request names the key id, so that KMS refuses a key wrapped under a foreign KMS key
    const command = new DecryptCommand({ CiphertextBlob: wrapped, EncryptionContext: { ...context }, KeyId: keyId })
    const { Plaintext: key } = await this.#client.send(command).catch(refused)
    if (key?.length === KEY_BYTES) return key
    key?.fill(0)
    throw new KeyUnavailable()
  }
}

function refused(cause: unknown): never {
  // this error means a wrong wrapped key or context; every other one means that KMS gives no answer now
  throw cause instanceof InvalidCiphertextException ? new IntegrityFailure({ cause }) : new KeyUnavailable({ cause })
}
