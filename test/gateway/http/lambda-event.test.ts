import type { APIGatewayProxyEventV2, Context } from 'aws-lambda'
import { randomBytes } from 'node:crypto'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { fromEvent, toResult } from '../../../gateway/http/lambda-event.ts'

const context = { getRemainingTimeInMillis: () => 10_000 } as Context

function bodyOf(body: string | undefined, isBase64Encoded = false): string {
  const http = { method: 'POST', sourceIp: '127.0.0.1' }
  const event = { requestContext: { http }, headers: {}, ...(body !== undefined && { body }), isBase64Encoded }
  return fromEvent(event as APIGatewayProxyEventV2, context, 0).body
}

const base64 = (...bytes: number[]): string => Buffer.from(bytes).toString('base64')

it('reads a body as text, or as bytes in UTF-8', () => {
  expect(bodyOf('{}')).toBe('{}')
  expect(bodyOf(undefined)).toBe('')
  expect(bodyOf(Buffer.from('{"a":"ü"}').toString('base64'), true)).toBe('{"a":"ü"}')
})

it.each([
  ['Latin-1', [0x22, 0xfc, 0x22]],
  ['half of a surrogate pair', [0x22, 0xed, 0xa0, 0x80, 0x22]],
  ['a character cut off', [0x22, 0xe2, 0x82]],
])('does not replace bytes of another encoding by other characters: %s', (_what, bytes) => {
  expect(bodyOf(base64(...bytes), true)).toBe('')
})

const NO_HEADERS = { 'cache-control': 'no-store' }
const asked = (accepted: string | undefined) => ({ headers: { 'accept-encoding': accepted } })
const JSON_TEXT = JSON.stringify({
  data: Array.from({ length: 200 }, (_, n) => ({ familyName: 'Smith', birthDate: `19${n % 90}` })),
})

describe('a body', () => {
  it.each([
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
  ])('is compressed by %s, as base64', async (coding, decompress) => {
    const response = { status: 200, headers: { ...NO_HEADERS, vary: 'Origin' }, body: JSON_TEXT }
    const { headers, body = '', isBase64Encoded } = await toResult(response, asked(coding))
    expect(headers).toEqual({ ...NO_HEADERS, vary: 'Origin, Accept-Encoding', 'content-encoding': coding })
    expect(isBase64Encoded).toBe(true)
    expect(body.length).toBeLessThan(JSON_TEXT.length / 4)
    expect(decompress(Buffer.from(body, 'base64')).toString()).toBe(JSON_TEXT)
  })

  it.each([
    ['no header', undefined, JSON_TEXT],
    ['no accepted coding', 'identity, deflate', JSON_TEXT],
    ['a body below 1 KiB', 'br', JSON_TEXT.slice(0, 1023)],
  ])('is sent as it is for %s, and still varies', async (_what, accepted, body) => {
    const result = await toResult({ status: 200, headers: NO_HEADERS, body }, asked(accepted))
    expect(result).toEqual({ statusCode: 200, headers: { ...NO_HEADERS, vary: 'Accept-Encoding' }, body, isBase64Encoded: false })
  })

  it('that is empty has no other header', async () => {
    const response = { status: 204, headers: NO_HEADERS, body: '' }
    expect(await toResult(response, asked('br'))).toEqual({
      statusCode: 204,
      headers: NO_HEADERS,
      body: '',
      isBase64Encoded: false,
    })
  })

  it.each<[string, (bytes: Buffer) => string]>([
    ['base64', (bytes) => bytes.toString('base64')],
    ['printable characters', (bytes) => [...bytes].map((byte) => String.fromCharCode(32 + (byte % 95))).join('')],
    [
      'characters of three bytes',
      (bytes) => [...bytes].map((byte, at) => String.fromCharCode(0x4e00 + byte + 256 * (at % 60))).join(''),
    ],
    ['quotes', (bytes) => '"'.repeat(bytes.length)],
  ])('never takes more of the 6 MB of Lambda than without compression: random %s', async (_what, textOf) => {
    for (const coding of ['br', 'gzip']) {
      const response = { status: 200, headers: NO_HEADERS, body: JSON.stringify(textOf(randomBytes(30_000))) }
      const [compressed, plain] = [await toResult(response, asked(coding)), await toResult(response, asked(undefined))]
      const sizeOf = (result: object): number => Buffer.byteLength(JSON.stringify(result))
      expect(sizeOf(compressed)).toBeLessThanOrEqual(sizeOf(plain) + '"content-encoding":"gzip",'.length)
      const bytes = Buffer.from(compressed.body ?? '', compressed.isBase64Encoded === true ? 'base64' : 'utf8')
      const used = compressed.headers?.['content-encoding']
      const read = used === 'br' ? brotliDecompressSync(bytes) : used === 'gzip' ? gunzipSync(bytes) : bytes
      expect(read.toString() === response.body).toBe(true)
    }
  })
})
