import { z } from 'zod'
import { KEY_SPECS } from './kms-keys.ts'

// The requests to the KMS stand-in, with the limits of the service.

const bytes = z.base64().transform((text) => Buffer.from(text, 'base64'))
const context = z.record(z.string(), z.string()).default({})
const keyId = z.string().min(1).max(2048)

export const generateDataKeyInput = z
  .object({
    KeyId: keyId,
    EncryptionContext: context,
    KeySpec: z.enum(['AES_256', 'AES_128']).optional(),
    NumberOfBytes: z.int().min(1).max(1024).optional(),
  })
  // the service requires exactly one of the two
  .refine((input) => (input.KeySpec === undefined) !== (input.NumberOfBytes === undefined))
export const encryptInput = z.object({
  KeyId: keyId,
  EncryptionContext: context,
  Plaintext: bytes.refine((b) => b.length >= 1 && b.length <= 4096),
})
export const decryptInput = z.object({
  KeyId: keyId.optional(),
  EncryptionContext: context,
  CiphertextBlob: bytes.refine((b) => b.length >= 1),
})
export const createKeyInput = z.object({
  KeySpec: z.enum(KEY_SPECS).default('SYMMETRIC_DEFAULT'),
  KeyUsage: z.enum(['ENCRYPT_DECRYPT', 'GENERATE_VERIFY_MAC', 'SIGN_VERIFY']).default('ENCRYPT_DECRYPT'),
})
export const generateMacInput = z.object({
  KeyId: keyId,
  Message: bytes.refine((b) => b.length >= 1 && b.length <= 4096),
  MacAlgorithm: z.literal('HMAC_SHA_256'),
})
export const signInput = z.object({
  KeyId: keyId,
  // the other types take digests, which no code here signs
  MessageType: z.literal('RAW').default('RAW'),
  Message: bytes.refine((b) => b.length >= 1 && b.length <= 4096),
  SigningAlgorithm: z.enum(['ED25519_SHA_512', 'ML_DSA_SHAKE_256']),
})
export const keyInput = z.object({ KeyId: keyId.optional(), CiphertextBlob: bytes.optional() })
export const describeKeyInput = z.object({ KeyId: keyId })
