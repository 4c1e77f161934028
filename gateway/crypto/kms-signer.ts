import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms'
import type { CheckpointSigner } from '../model/checkpoint-signer.ts'
import { KeyUnavailable } from '../model/failures.ts'

/**
 * The names of KMS and the forms of the keys. A SubjectPublicKeyInfo is this prefix and the raw key.
 *
 * @source RFC 8410 for Ed25519; RFC 9881 for ML-DSA
 * @source https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
 */
const ALGORITHMS = {
  ED25519: { name: 'ED25519_SHA_512', prefix: '302a300506032b6570032100', keyBytes: 32, signatureBytes: 64 },
  ML_DSA_44: {
    name: 'ML_DSA_SHAKE_256',
    prefix: '30820532300b06096086480165030403110382052100',
    keyBytes: 1_312,
    signatureBytes: 2_420,
  },
} as const

/** A key in AWS KMS that signs, such as the checkpoints of a log: `ECC_NIST_EDWARDS25519` or `ML_DSA_44` with the usage `SIGN_VERIFY`. */
class KmsSigner implements CheckpointSigner {
  readonly algorithm: CheckpointSigner['algorithm']
  readonly #client: KMSClient
  readonly #keyId: string
  #publicKey: Promise<Uint8Array> | undefined

  constructor(client: KMSClient, keyId: string, algorithm: CheckpointSigner['algorithm']) {
    this.#client = client
    this.#keyId = keyId
    this.algorithm = algorithm
  }

  /** The key of a KMS key never changes, so one successful read is enough for a process. */
  async publicKey(): Promise<Uint8Array> {
    this.#publicKey ??= this.#readPublicKey()
    try {
      return await this.#publicKey
    } catch (failure) {
      this.#publicKey = undefined
      throw failure
    }
  }

  async sign(message: Uint8Array): Promise<Uint8Array> {
    const { name, signatureBytes } = ALGORITHMS[this.algorithm]
    const command = new SignCommand({ KeyId: this.#keyId, Message: message, MessageType: 'RAW', SigningAlgorithm: name })
    const { Signature: signature } = await this.#client.send(command).catch(refused)
    if (signature?.length !== signatureBytes) throw new KeyUnavailable()
    return signature
  }

  async #readPublicKey(): Promise<Uint8Array> {
    const { prefix, keyBytes } = ALGORITHMS[this.algorithm]
    const { PublicKey: der } = await this.#client.send(new GetPublicKeyCommand({ KeyId: this.#keyId })).catch(refused)
    const text = Buffer.from(der ?? []).toString('hex')
    if (!text.startsWith(prefix) || text.length !== prefix.length + 2 * keyBytes) throw new KeyUnavailable()
    return Buffer.from(text.slice(prefix.length), 'hex')
  }
}

/** An Ed25519 key in AWS KMS: `ECC_NIST_EDWARDS25519`. The client sets timeouts and attempts. */
export const ed25519Signer = (client: KMSClient, keyId: string): CheckpointSigner => new KmsSigner(client, keyId, 'ED25519')

function refused(cause: unknown): never {
  throw new KeyUnavailable({ cause })
}

/** The ids of the two keys of a log. */
export interface LogKeyIds {
  readonly ed25519: string
  readonly mlDsa44: string
}

const CONNECT_MS = 1_000
const REQUEST_MS = 3_000
const ATTEMPTS = 3

/** Opens the signers of logs over one client of KMS. The SDK reads region, credentials and endpoint itself. */
export function openSigners(): (keys: LogKeyIds) => readonly CheckpointSigner[] {
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  const client = new KMSClient({ maxAttempts: ATTEMPTS, requestHandler })
  // it would print requests and responses
  client.middlewareStack.remove('loggerMiddleware')
  return ({ ed25519, mlDsa44 }) => [new KmsSigner(client, ed25519, 'ED25519'), new KmsSigner(client, mlDsa44, 'ML_DSA_44')]
}
