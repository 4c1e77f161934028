import { KMSClient } from '@aws-sdk/client-kms'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { AwsKms, type KeyContext } from '../../../gateway/crypto/kms.ts'
import { IntegrityFailure, KeyUnavailable } from '../../../gateway/model/failures.ts'

const context: KeyContext = { tenant: 'riverside', use: 'tenant-key', version: '1' }
const key = Buffer.alloc(32, 7)
const wrapped = Buffer.from('wrapped')
const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** The stock client against a loopback server with one canned answer. Records the requests. */
async function kmsAnswering(status: number, body: unknown): Promise<{ kms: AwsKms; asked: { target: unknown; body: unknown }[] }> {
  const asked: { target: unknown; body: unknown }[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      asked.push({ target: request.headers['x-amz-target'], body: JSON.parse(text) })
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { kms: new AwsKms(clientOf(port)), asked }
}

const clientOf = (port: number) =>
  new KMSClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  })

describe('AwsKms', () => {
  it('asks for a 256-bit key with the whole context', async () => {
    const { kms, asked } = await kmsAnswering(200, {
      Plaintext: key.toString('base64'),
      CiphertextBlob: wrapped.toString('base64'),
    })
    const answer = await kms.generateDataKey('alias/phi', context)
    expect(Buffer.from(answer.key).equals(key)).toBe(true)
    expect(Buffer.from(answer.wrapped).equals(wrapped)).toBe(true)
    expect(asked).toEqual([
      { target: 'TrentService.GenerateDataKey', body: { KeyId: 'alias/phi', KeySpec: 'AES_256', EncryptionContext: context } },
    ])
  })

  it('names key and context when it decrypts', async () => {
    const { kms, asked } = await kmsAnswering(200, { Plaintext: key.toString('base64') })
    expect(Buffer.from(await kms.decrypt(wrapped, context, 'alias/phi')).equals(key)).toBe(true)
    const body = { KeyId: 'alias/phi', CiphertextBlob: wrapped.toString('base64'), EncryptionContext: context }
    expect(asked).toEqual([{ target: 'TrentService.Decrypt', body }])
  })

  it('P6: reports an invalid ciphertext as an integrity failure', async () => {
    const { kms } = await kmsAnswering(400, { __type: 'InvalidCiphertextException' })
    await expect(kms.decrypt(wrapped, context, 'alias/phi')).rejects.toThrow(IntegrityFailure)
  })

  it.each([
    'DisabledException',
    'AccessDeniedException',
    'KMSInvalidStateException',
    'IncorrectKeyException',
    'ThrottlingException',
  ])('reports %s as an unavailable key', async (name) => {
    const { kms } = await kmsAnswering(400, { __type: name, message: 'details' })
    const failure = await kms.decrypt(wrapped, context, 'alias/phi').catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(KeyUnavailable)
    expect(failure).toHaveProperty('cause.name', name)
    expect((failure as Error).message).toBe('A key is not available.')
  })

  it('rejects a key of another length, or a missing key', async () => {
    const short = await kmsAnswering(200, {
      Plaintext: Buffer.alloc(16).toString('base64'),
      CiphertextBlob: wrapped.toString('base64'),
    })
    await expect(short.kms.generateDataKey('alias/phi', context)).rejects.toThrow(KeyUnavailable)
    const none = await kmsAnswering(200, {})
    await expect(none.kms.decrypt(wrapped, context, 'alias/phi')).rejects.toThrow(KeyUnavailable)
  })

  it('reports an unreachable server as an unavailable key', async () => {
    await expect(new AwsKms(clientOf(1)).decrypt(wrapped, context, 'alias/phi')).rejects.toThrow(KeyUnavailable)
  })
})
