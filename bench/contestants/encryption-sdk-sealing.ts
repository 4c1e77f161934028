import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  getLocalCryptographicMaterialsCache,
  NodeCachingMaterialsManager,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
} from '@aws-crypto/client-node'
import type { Json } from '../../gateway/index.ts'
import type { Sealing } from './protected.ts'

/** Data keys in memory. One is enough: all values of a tenant have one encryption context. */
const CAPACITY = 100
const MAX_AGE_MS = 3_600_000

/**
 * The AWS Encryption SDK over a raw AES keyring, with its caching materials manager and the suite without signatures. These are
 * the fastest documented settings. A cached key serves only one encryption context, so the context names the tenant and not
 * the place of a value.
 *
 * @source https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/data-key-caching.html
 */
export function encryptionSdkSealing(material: Uint8Array): Sealing {
  const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
  // the keyring requires bytes of its own, not a part of a shared buffer
  const unencryptedMasterKey = new Uint8Array(material)
  const backingMaterials = new RawAesKeyringNode({
    keyName: 'bench',
    keyNamespace: 'bench',
    unencryptedMasterKey,
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  })
  const manager = new NodeCachingMaterialsManager({
    backingMaterials,
    cache: getLocalCryptographicMaterialsCache(CAPACITY),
    maxAge: MAX_AGE_MS,
    partition: 'bench',
  })
  return {
    seal: async (value, tenant) => {
      const plaintext = Buffer.from(JSON.stringify(value))
      const { result } = await encrypt(manager, plaintext, {
        encryptionContext: { tenant },
        plaintextLength: plaintext.length,
        suiteId: AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
      })
      return result
    },
    open: async (sealed, tenant) => {
      const { plaintext, messageHeader } = await decrypt(manager, Buffer.from(sealed))
      // the documentation requires this comparison
      if (messageHeader.encryptionContext['tenant'] !== tenant) throw new RangeError('A value of another tenant.')
      return JSON.parse(plaintext.toString('utf8')) as Json
    },
  }
}
