import { isExactNumber } from '../model/exact-number.ts'

// The size of a body as a function of Lambda returns it, in bytes: JSON text within JSON text, or base64 if that is shorter. Lambda
// limits this size, not the size of the body. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html

/** Whether a body takes at most `max` bytes. */
export function isWithin(body: string, max: number): boolean {
  const bytes = Buffer.byteLength(body)
  // an escape adds one byte to a character
  return 2 * bytes <= max || base64Bytes(bytes) <= max || escapedBytes(body) <= max
}

/** The size of a body with this number of bytes at most, whatever its characters are. */
export const mostCarriedBytes = (bodyBytes: number): number => base64Bytes(bodyBytes)

/** Up to this length, a body of quotes alone is within the limit of Lambda as text. */
const TEXT_BYTES = 2.5 * 1024 * 1024

/** Whether a function should return a body as base64: it is long, and text would be longer. */
export function belongsInBase64(body: string): boolean {
  const bytes = Buffer.byteLength(body)
  return bytes > TEXT_BYTES && base64Bytes(bytes) < escapedBytes(body)
}

/** Whether the JSON text of a value is longer than this, judged without making the text. False also if that is not certain. */
export function isCertainlyLonger(value: unknown, bytes: number): boolean {
  return lengthUpTo(value, bytes) > bytes
}

/** A lower bound of the length of a value's JSON text; the count stops beyond `max`. */
function lengthUpTo(value: unknown, max: number): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return 1
  if (isExactNumber(value)) return value.rawJSON.length
  let length = 2
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) if ((length += lengthUpTo(item, max)) > max) break
    return length
  }
  for (const [key, member] of Object.entries(value)) if ((length += key.length + 3 + lengthUpTo(member, max)) > max) break
  return length
}

const base64Bytes = (bytes: number): number => 4 * Math.ceil(bytes / 3)

/** The length of JSON text as a string in JSON. Such a text has no control character besides line feeds. */
function escapedBytes(json: string): number {
  let bytes = Buffer.byteLength(json)
  for (const escaped of ['"', '\\', '\n']) {
    for (let at = json.indexOf(escaped); at !== -1; at = json.indexOf(escaped, at + 1)) bytes++
  }
  return bytes
}
