import { type ExactNumber, exactNumber, isNumberText } from '../gateway/model/exact-number.ts'

/** A number after a colon, a bracket or a comma. It can also match within a text, which costs time only. */
const NUMBERS = /[:[,]\s*(-?\d[0-9.eE+-]*)(?=\s*[,\]}])/g

/** FHIR asks for 18 digits. @source https://hl7.org/fhir/R4/datatypes.html#decimal */
const MAX_DIGITS = 64

interface Source {
  readonly source: string
}

const parseWithSource = JSON.parse as (text: string, reviver: (key: string, value: unknown, context: Source) => unknown) => unknown

/**
 * Parses JSON, and keeps the text of each number that JavaScript would write otherwise: `1.10`, `12345678901234567890`. All other numbers
 * are numbers.
 *
 * @throws SyntaxError, which quotes the text (P8)
 */
export function parseExact(text: string): unknown {
  // a reviver makes the parser eight times slower
  if (!holdsInexact(text)) return JSON.parse(text) as unknown
  return parseWithSource(text, (_key, value, { source }): unknown =>
    typeof value === 'number' && isInexact(source) ? kept(value, source) : value,
  )
}

function holdsInexact(text: string): boolean {
  for (const [, number = ''] of text.matchAll(NUMBERS)) if (isInexact(number)) return true
  return false
}

const isInexact = (number: string): boolean => String(Number(number)) !== number

/** A number beyond all numbers is infinite, which no resource may hold. */
function kept(value: number, source: string): number | ExactNumber {
  return isNumberText(source) && source.length <= MAX_DIGITS ? exactNumber(source) : value
}
