import { createPublicKey, verify } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GetPublicKeyCommand,
  KMSClient,
  SignCommand,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KmsStandIn, startKms } from '../../../infra/local/kms.ts'

const ALIAS = 'alias/phi-local'
const context = { tenant: 'riverside', use: 'tenant-key', version: '1' }
const clientOf = (kms: KmsStandIn): KMSClient =>
  new KMSClient({
    endpoint: kms.endpoint,
    region: 'us-east-1',
    maxAttempts: 1,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })

describe('the KMS stand-in answers the stock client like KMS', () => {
  let kms: KmsStandIn
  let client: KMSClient
  beforeAll(async () => {
    kms = await startKms({ aliases: [ALIAS] })
    client = clientOf(kms)
  })
  afterAll(async () => {
    client.destroy()
    await kms.stop()
  })

  const dataKey = async () => {
    const made = await client.send(new GenerateDataKeyCommand({ KeyId: ALIAS, KeySpec: 'AES_256', EncryptionContext: context }))
    return { plaintext: Buffer.from(made.Plaintext ?? []), blob: made.CiphertextBlob, keyId: made.KeyId }
  }
  const otherKey = async (): Promise<string> => (await client.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId ?? ''

  it('opens a data key under its context, for any order of the pairs', async () => {
    const { plaintext, blob, keyId } = await dataKey()
    expect(plaintext).toHaveLength(32)
    expect(keyId).toMatch(/^arn:aws:kms:us-east-1:000000000000:key\//)
    const reordered = { version: '1', use: 'tenant-key', tenant: 'riverside' }
    const opened = await client.send(new DecryptCommand({ CiphertextBlob: blob, EncryptionContext: reordered, KeyId: ALIAS }))
    expect(Buffer.from(opened.Plaintext ?? [])).toEqual(plaintext)
    expect(opened.KeyId).toBe(keyId)
  })

  it.each([
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', 64],
    ['ML_DSA_44', 'ML_DSA_SHAKE_256', 2_420],
  ] as const)('P7: signs with a key of %s, and encrypts nothing with it', async (KeySpec, SigningAlgorithm, bytes) => {
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }))
    const KeyId = KeyMetadata?.KeyId
    expect(KeyMetadata).toMatchObject({ KeySpec, KeyUsage: 'SIGN_VERIFY', SigningAlgorithms: [SigningAlgorithm] })
    const Message = Buffer.from('a head')
    const { Signature } = await client.send(new SignCommand({ KeyId, Message, MessageType: 'RAW', SigningAlgorithm }))
    const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId }))
    expect(Signature).toHaveLength(bytes)
    const key = createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' })
    expect(verify(null, Message, key, Signature ?? Buffer.of())).toBe(true)
    const encrypt = new EncryptCommand({ KeyId, Plaintext: Message, EncryptionContext: context })
    await expect(client.send(encrypt)).rejects.toMatchObject({ name: 'InvalidKeyUsageException' })
    const other = SigningAlgorithm === 'ED25519_SHA_512' ? 'ML_DSA_SHAKE_256' : 'ED25519_SHA_512'
    await expect(client.send(new SignCommand({ KeyId, Message, SigningAlgorithm: other }))).rejects.toMatchObject({
      name: 'InvalidKeyUsageException',
    })
    await expect(client.send(new SignCommand({ KeyId: ALIAS, Message, SigningAlgorithm }))).rejects.toMatchObject({
      name: 'InvalidKeyUsageException',
    })
  })

  it('opens an encrypted text, and describes a key', async () => {
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: ALIAS, Plaintext: Buffer.from('wrapped'), EncryptionContext: context }),
    )
    const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: context }))
    expect(Buffer.from(Plaintext ?? []).toString()).toBe('wrapped')
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: ALIAS }))
    expect(KeyMetadata).toMatchObject({ Enabled: true, KeyState: 'Enabled', KeyUsage: 'ENCRYPT_DECRYPT' })
  })

  it.each([
    ['another tenant', { ...context, tenant: 'lakeside' }],
    ['another use', { ...context, use: 'other' }],
    ['a pair more', { ...context, more: '1' }],
    ['no context', undefined],
  ])('P6: refuses %s', async (_, EncryptionContext) => {
    const { blob } = await dataKey()
    await expect(client.send(new DecryptCommand({ CiphertextBlob: blob, EncryptionContext }))).rejects.toMatchObject({
      name: 'InvalidCiphertextException',
    })
  })

  it('P6: refuses a blob with any bit flipped, and a truncated one', async () => {
    const { blob } = await dataKey()
    const bytes = Buffer.from(blob ?? [])
    const refused = { name: 'InvalidCiphertextException' }
    for (const at of [0, 5, 40, 50, bytes.length - 1]) {
      const turned = Buffer.from(bytes)
      turned[at] = (turned[at] ?? 0) ^ 1
      await expect(client.send(new DecryptCommand({ CiphertextBlob: turned, EncryptionContext: context }))).rejects.toMatchObject(
        refused,
      )
    }
    const short = bytes.subarray(0, -1)
    await expect(client.send(new DecryptCommand({ CiphertextBlob: short, EncryptionContext: context }))).rejects.toMatchObject(
      refused,
    )
  })

  it('reports faults with the names of KMS', async () => {
    const { blob: CiphertextBlob } = await dataKey()
    const unknown = '00000000-0000-4000-8000-000000000000'
    const another = await otherKey()
    await expect(client.send(new GenerateDataKeyCommand({ KeyId: unknown, KeySpec: 'AES_256' }))).rejects.toMatchObject({
      name: 'NotFoundException',
    })
    await expect(
      client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: context, KeyId: another })),
    ).rejects.toMatchObject({ name: 'IncorrectKeyException' })
    await expect(client.send(new GenerateDataKeyCommand({ KeyId: ALIAS }))).rejects.toMatchObject({ name: 'ValidationException' })
  })

  it('P13: opens nothing with a key that is disabled, denied or pending deletion', async () => {
    const KeyId = await otherKey()
    const { CiphertextBlob } = await client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))
    kms.disable(KeyId)
    await expect(client.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({ name: 'DisabledException' })
    kms.setState(KeyId, 'PendingDeletion')
    await expect(client.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({ name: 'KMSInvalidStateException' })
    kms.setState(KeyId, 'Denied')
    await expect(client.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({ name: 'AccessDeniedException' })
    kms.setState(KeyId, 'Enabled')
    expect((await client.send(new DecryptCommand({ CiphertextBlob }))).Plaintext).toHaveLength(32)
  })

  it('counts its calls', async () => {
    const [all, decrypts] = [kms.calls(), kms.calls('Decrypt')]
    const { blob } = await dataKey()
    await client.send(new DecryptCommand({ CiphertextBlob: blob, EncryptionContext: context }))
    expect([kms.calls() - all, kms.calls('Decrypt') - decrypts]).toEqual([2, 1])
  })
})

describe('the KMS stand-in keeps its keys', () => {
  it('over a restart, in a file that only its owner can read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'phi-kms-'))
    const file = join(folder, 'kms.json')
    try {
      const before = await startKms({ file, aliases: [ALIAS] })
      const first = clientOf(before)
      const { CiphertextBlob, Plaintext } = await first.send(new GenerateDataKeyCommand({ KeyId: ALIAS, KeySpec: 'AES_256' }))
      first.destroy()
      await before.stop()
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(readFileSync(file, 'utf8')).not.toContain(Buffer.from(Plaintext ?? []).toString('base64'))

      const after = await startKms({ file, aliases: [ALIAS] })
      const second = clientOf(after)
      expect((await second.send(new DecryptCommand({ CiphertextBlob }))).Plaintext).toEqual(Plaintext)
      second.destroy()
      await after.stop()
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
