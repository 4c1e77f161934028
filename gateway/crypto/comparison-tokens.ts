import { parsePhoneNumberFromString } from 'libphonenumber-js/min'
import { KeyUnavailable } from '../model/failures.ts'
import type { ComparisonKind, ComparisonToken } from '../model/comparison.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { hkdfSha256, hmacSha256, keyFrom } from './derive.ts'
import { foldedWords, MAX_COMPARED } from './folded-text.ts'
import { normalized } from './normalization.ts'
import { lengthPrefixed } from './parts.ts'
import { streetAddress } from './street-address.ts'
import type { PurposeKey } from './tenant-keys.ts'

const INFO = 'phi-gateway/comparison/v1'
const NO_SALT = new Uint8Array(0)
const TOKEN_BYTES = 16
/** A token names no key version. With a newer key, a comparison would not find the stored tokens. */
const TOKEN_KEY_VERSION = 1

/** The values of a person that are compared. Of the workforce, or of a patient's own record. */
export interface ComparedValues {
  readonly patient?: PatientId | undefined
  readonly patientNumber?: unknown
  readonly familyName?: unknown
  /** A text, or a list of lines. */
  readonly street?: unknown
  readonly postalCode?: unknown
  readonly phone?: unknown
}

/**
 * Returns the comparison tokens of a person, `docs/sealed-field.md` section 12. The key is specific to the tenant and the kind, so that
 * equal values have other tokens in another tenant or of another kind. A value that says nothing has no token: see the form of each kind.
 *
 * @throws KeyUnavailable if the tenant's key is unavailable
 */
export function comparisonTokens(
  key: PurposeKey<'comparison'>,
  tenant: TenantId,
  values: ComparedValues,
): readonly ComparisonToken[] {
  const base = key.byVersion(TOKEN_KEY_VERSION)
  if (!base) throw new KeyUnavailable()
  const tokens = formsOf(values).map(({ kind, parts }) => {
    const kindKey = keyFrom(hkdfSha256(base, NO_SALT, lengthPrefixed(INFO, tenant, kind), 32))
    // each part has a length prefix, so that no two values are the same text
    return { kind, token: hmacSha256(kindKey, lengthPrefixed(...parts)).toString('base64url', 0, TOKEN_BYTES) }
  })
  return tokens
}

interface Form {
  readonly kind: ComparisonKind
  readonly parts: readonly string[]
}

/** The forms in which the values of a person are compared. */
function formsOf({ patient, patientNumber, familyName, street, postalCode, phone }: ComparedValues): readonly Form[] {
  const number = patientNumberForm(patientNumber)
  const name = familyNameForm(familyName)
  const digits = phoneForm(phone)
  return [
    ...(patient === undefined ? [] : [{ kind: 'PATIENT', parts: ['id', patient] } as const]),
    ...(number === undefined ? [] : [{ kind: 'PATIENT', parts: ['number', number] } as const]),
    ...(name === undefined ? [] : [{ kind: 'FAMILY_NAME', parts: [name] } as const]),
    ...addressForms(street, postalCode),
    ...(digits === undefined ? [] : [{ kind: 'PHONE', parts: [digits] } as const]),
  ]
}

/** The number by CASE_AND_SPACE. A number of zeros only, or without a letter or digit, names no patient. */
export function patientNumberForm(value: unknown): string | undefined {
  const text = normalized(value, 'CASE_AND_SPACE')
  return text !== undefined && /[1-9\p{L}]/u.test(text) ? text : undefined
}

/** The letters of the name, folded. A name of one letter is an initial. */
function familyNameForm(value: unknown): string | undefined {
  const text = textOf(value)
  const letters = text === undefined ? '' : foldedWords(text, /\p{L}+/gu).join('')
  return letters.length > 1 ? letters : undefined
}

/** The letters and digits of the code, folded. Of a ZIP+4 the first five digits. */
function postalCodeForm(value: unknown): string | undefined {
  const text = textOf(value)
  const code = text === undefined ? '' : foldedWords(text).join('')
  if (code.length < 3 || !/[1-9]/.test(code)) return undefined
  return /^\d{5}-\d{4}$/.test(text?.trim() ?? '') ? code.slice(0, 5) : code
}

/** A number without an area code is the same in two cities. */
const PHONE_DIGITS = 8
const EXTENSION = /(?:x|ext\.?|extension|#|;)\s*\d+\s*$/i

/**
 * The digits of the national number: without country prefix, trunk prefix and extension. A number with a country prefix begins with `+` or
 * `00`; `+49 30 901820` and `030 901820` are one number. Numbers of two countries with the same digits are one number too.
 */
export function phoneForm(value: unknown): string | undefined {
  const text = textOf(value)?.normalize('NFKC').replace(EXTENSION, '')
  if (text === undefined) return undefined
  const digits = text.replaceAll(/\D/g, '')
  if (/^\D*\+/.test(text)) return significant(nationalNumber(`+${digits}`))
  if (digits.startsWith('00')) return significant(nationalNumber(`+${digits.slice(2)}`))
  // the prefix 1 of North America is written without a plus sign too, and `0` is the trunk prefix of most other countries
  return significant(/^1[2-9]\d{9}$/.test(digits) ? digits.slice(1) : digits.replace(/^0/, ''))
}

const nationalNumber = (international: string): string => parsePhoneNumberFromString(international)?.nationalNumber ?? ''

/** One digit repeated stands for an unknown number. */
const significant = (digits: string): string | undefined =>
  digits.length >= PHONE_DIGITS && !/^(\d)\1+$/.test(digits) ? digits : undefined

/** A list of lines is one text. An address without a postal code has no token: every town has a Main Street. */
function addressForms(street: unknown, postalCode: unknown): readonly Form[] {
  const text = Array.isArray(street) ? textOf(street.filter((line) => typeof line === 'string').join(' ')) : textOf(street)
  const address = text === undefined ? undefined : streetAddress(text)
  const code = postalCodeForm(postalCode)
  if (address === undefined || code === undefined) return []
  const { street: name, number, unit } = address
  const whole = { kind: 'ADDRESS', parts: [code, name, number, unit] } as const
  return name === '' ? [whole] : [whole, { kind: 'STREET', parts: [code, name] }]
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value.length <= MAX_COMPARED ? value : undefined
