import type { AttributeValue } from '@aws-sdk/client-dynamodb'

// The JSON form of attributes on the wire. It differs from the form of the SDK only in binary values, which are base64 text.

export type Attributes = Record<string, AttributeValue>

/** Attributes as JSON. Shares the values that are the same in both forms. */
export function encodeAttributes(attributes: Attributes): Record<string, unknown> {
  const encoded: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(attributes)) encoded[name] = encodeAttribute(value)
  return encoded
}

/**
 * Attributes from JSON, decoded in place.
 *
 * @throws TypeError if a binary value is not base64
 */
export function decodeAttributes(parsed: object): Attributes {
  for (const value of Object.values(parsed)) decodeAttribute(value as ParsedAttribute)
  return parsed as Attributes
}

/** An attribute between its two forms. */
interface ParsedAttribute {
  B?: string | Uint8Array
  BS?: (string | Uint8Array)[]
  L?: ParsedAttribute[]
  M?: Record<string, ParsedAttribute>
}

function encodeAttribute(value: AttributeValue): unknown {
  if (value.B !== undefined) return { B: base64(value.B) }
  if (value.M !== undefined) return { M: encodeAttributes(value.M) }
  if (value.L !== undefined) return { L: value.L.map(encodeAttribute) }
  if (value.BS !== undefined) return { BS: value.BS.map(base64) }
  return value
}

function decodeAttribute(value: ParsedAttribute): void {
  if (typeof value.B === 'string') value.B = bytes(value.B)
  else if (value.M !== undefined) decodeAttributes(value.M)
  else if (value.L !== undefined) value.L.forEach(decodeAttribute)
  else if (value.BS !== undefined) value.BS = value.BS.map((text) => (typeof text === 'string' ? bytes(text) : text))
}

const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64')

function bytes(text: string): Uint8Array {
  const decoded = Buffer.from(text, 'base64')
  // `Buffer.from` skips characters that are not base64, so that the length is too short
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  if (text.length % 4 !== 0 || decoded.length !== (text.length / 4) * 3 - padding)
    throw new TypeError('a binary value is not base64')
  return new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.byteLength)
}
