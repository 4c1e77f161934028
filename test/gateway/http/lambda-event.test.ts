import type { APIGatewayProxyEventV2, Context } from 'aws-lambda'
import { expect, it } from 'vitest'
import { fromEvent } from '../../../gateway/http/lambda-event.ts'

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
