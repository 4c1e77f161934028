import { DecryptCommand, GenerateDataKeyCommand, InvalidCiphertextException, type KMSClient } from '@aws-sdk/client-kms'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import { KEY_BYTES } from './wrap.ts'

/** KMS binds it to the wrapped key: another tenant's or version's key does not open, and IAM can ask for it. */
export interface KeyContext {
  readonly tenant: string
  readonly use: 'tenant-key'
  /** Decimal. */
  readonly version: string
}

/** The service that holds the keys which never leave it. `AwsKms` is the production one. */
export interface Kms {
  /**
   * A new 256-bit key, in plain and wrapped.
   *
   * @throws KeyUnavailable
   */
  generateDataKey(keyId: string, context: KeyContext): Promise<{ readonly key: Uint8Array; readonly wrapped: Uint8Array }>
  /**
   * The 32 bytes of a key that `generateDataKey` gave.
   *
   * @throws IntegrityFailure when it was wrapped for another context, or is damaged
   * @throws KeyUnavailable when KMS refuses or is out of reach
   */
  decrypt(wrapped: Uint8Array, context: KeyContext, keyId: string): Promise<Uint8Array>
}

/** KMS of AWS. Timeouts and attempts are the client's. */
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
    // the key id is named, so that a key wrapped under somebody else's KMS key is refused
    const command = new DecryptCommand({ CiphertextBlob: wrapped, EncryptionContext: { ...context }, KeyId: keyId })
    const { Plaintext: key } = await this.#client.send(command).catch(refused)
    if (key?.length === KEY_BYTES) return key
    key?.fill(0)
    throw new KeyUnavailable()
  }
}

function refused(cause: unknown): never {
  // this one says that the wrapped key or its context is wrong; all others, that there is no answer now
  throw cause instanceof InvalidCiphertextException ? new IntegrityFailure({ cause }) : new KeyUnavailable({ cause })
}
