import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { decodeBase64, encodeBase64 } from './base64.ts'

/** The form of a member: its value in an export, and in the text. */
export type Form =
  /** The same JSON value in both. */
  | 'PLAIN'
  /** Hex in an export, base64url in the text. */
  | 'DIGEST'
  /** ISO 8601 in UTC with milliseconds in an export, milliseconds since the epoch in the text. */
  | 'INSTANT'
  /** A boolean in an export. The text has the member only if it is true. */
  | 'FLAG'
  /** A path, or several. The text leaves out the record type that a path begins with: `.birthDate`. */
  | 'PATH'
  /** The text leaves out the action READ. */
  | 'ACTION'
  /** The text leaves out the path that a rule begins with: `#2`. It leaves out `#1` too, and has null for no rule. */
  | 'RULE'

/** The members of a record that its other members abbreviate. */
export interface RecordNames {
  readonly type?: string | undefined
  readonly path?: string
}

/** The value of a member in the text; undefined if the text leaves it out. @throws Error for another form */
export function shortValue(form: Form, value: unknown, { type, path = '' }: RecordNames): unknown {
  switch (form) {
    case 'PLAIN':
      return value
    case 'DIGEST':
      return base64url(hexToBytes(asText(value)))
    case 'INSTANT':
      return Date.parse(asText(value))
    case 'FLAG':
      return value === true ? true : undefined
    case 'PATH':
      return Array.isArray(value) ? value.map((one) => shortPath(asText(one), type)) : shortPath(asText(value), type)
    case 'ACTION':
      return value === 'READ' ? undefined : value
    case 'RULE':
      if (value === `${path}#1`) return undefined
      return asText(value).startsWith(`${path}#`) ? asText(value).slice(path.length) : value
    default:
      return form satisfies never
  }
}

/** The value of a member in an export; undefined if the export has no such member. @throws TypeError for another form */
export function longValue(form: Form, value: unknown, { type, path = '' }: RecordNames): unknown {
  switch (form) {
    case 'FLAG':
      return value === true
    case 'ACTION':
      return value ?? 'READ'
    case 'RULE':
      return value === null ? undefined : longRule(asText(value ?? '#1'), path)
    case 'PLAIN':
      return value
    case 'DIGEST':
      return value === undefined ? undefined : bytesToHex(base64urlBytes(asText(value)))
    case 'INSTANT':
      return value === undefined ? undefined : isoTime(value)
    case 'PATH':
      if (value === undefined) return undefined
      return Array.isArray(value) ? value.map((one) => longPath(asText(one), type)) : longPath(asText(value), type)
    default:
      return form satisfies never
  }
}

const shortPath = (path: string, type: string | undefined): string =>
  type !== undefined && path.startsWith(`${type}.`) ? path.slice(type.length) : path

export const longPath = (path: string, type: string | undefined): string => (path.startsWith('.') ? `${type ?? ''}${path}` : path)

const longRule = (rule: string, path: string): string => (rule.startsWith('#') ? `${path}${rule}` : rule)

/** @throws TypeError for any other value than a text */
export function asText(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('an audit item has a member that must be a text')
  return value
}

/** ECMAScript dates end 10^8 days after the epoch. */
const MAX_TIME = 8.64e15

function isoTime(value: unknown): string {
  if (!Number.isSafeInteger(value) || Math.abs(Number(value)) > MAX_TIME)
    throw new TypeError('an audit item has a time that is no date in milliseconds')
  return new Date(Number(value)).toISOString()
}

/** @throws TypeError for any other text than base64url without padding */
export function base64urlBytes(text: string): Uint8Array {
  const padded = text.padEnd(Math.ceil(text.length / 4) * 4, '=')
  const bytes = /^[\w-]*$/.test(text) ? decodeBase64(padded.replaceAll('-', '+').replaceAll('_', '/')) : undefined
  if (bytes === undefined) throw new TypeError('an audit item has a digest that is not base64url')
  return bytes
}

/** @source RFC 4648, section 5, without padding */
export function base64url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
