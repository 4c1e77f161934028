import { GenerateMacCommand, KMSClient } from '@aws-sdk/client-kms'
import { KeyUnavailable } from '../model/failures.ts'

const KEY_BYTES = 32
const CONNECT_MS = 1_000
const REQUEST_MS = 3_000
const ATTEMPTS = 3

/**
 * Derives a key of 32 bytes from an HMAC key that never leaves KMS: `HMAC-SHA-256(key, label)`, as in SP 800-108. Equal labels give equal keys,
 * so nothing is stored. The SDK reads region, credentials and endpoint itself.
 *
 * @param keyId the ARN or the alias of a KMS key with the spec HMAC_256
 * @throws KeyUnavailable
 * @source https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html
 */
export async function derivedKey(keyId: string, label: string): Promise<Uint8Array> {
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  const client = new KMSClient({ maxAttempts: ATTEMPTS, requestHandler })
  // it would print requests and responses
  client.middlewareStack.remove('loggerMiddleware')
  try {
    const command = new GenerateMacCommand({ KeyId: keyId, MacAlgorithm: 'HMAC_SHA_256', Message: Buffer.from(label) })
    const { Mac: key } = await client.send(command)
    if (key?.length === KEY_BYTES) return key
  } catch (cause) {
    throw new KeyUnavailable({ cause })
  } finally {
    client.destroy()
  }
  throw new KeyUnavailable()
}
