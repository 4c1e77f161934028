import type { Normalization } from '../../directives/policy.ts'

/** UTF-16 code units of an indexed or searched value. No identifier and no name is longer. */
const MAX_LENGTH = 256

/**
 * Returns the normalized form of a value, in which different spellings are equal. Returns undefined for values that are not
 * indexed: a value that is not text, a text over 256 code units, and a text whose normalized form is empty.
 *
 * - CASE_AND_SPACE: Unicode NFKC (UAX #15), one case, each run of white space as one space, no white space at the ends.
 *   Diacritics stay: `Müller` and `Muller` are different names, and a match between them would show the wrong person.
 * - NAME: CASE_AND_SPACE with one apostrophe for all kinds of apostrophes, one hyphen for all kinds of hyphens and dashes, and no
 *   white space beside them. Keyboards and systems write different ones: `O'Neill` and `O’Neill` are one name, `ONeill` is another.
 * - DIGITS: the digits 0 to 9 of the NFKC form, and nothing else. All digits count, those of a country code too, because a
 *   country code looks like the first digits of another number.
 */
export function normalized(value: unknown, how: Normalization): string | undefined {
  if (typeof value !== 'string' || value.length > MAX_LENGTH) return undefined
  const text = NORMALIZED[how](value)
  return text === '' ? undefined : text
}

const NORMALIZED: Readonly<Record<Normalization, (text: string) => string>> = {
  CASE_AND_SPACE: caseAndSpace,
  // before NFKC, which makes a space and a combining accent of `´`; and after it, which makes an apostrophe of the first half of `ŉ`
  NAME: (text) => oneOfEachMark(caseAndSpace(oneOfEachMark(text))),
  DIGITS: (text) => text.normalize('NFKC').replaceAll(/[^0-9]/g, ''),
}

function caseAndSpace(text: string): string {
  // upper case first, because it has one form of each letter: `ß` becomes `SS`, and a final sigma becomes a sigma
  const folded = text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC')
  return folded.replaceAll('ς', 'σ').replaceAll(/\s+/g, ' ').trim()
}

/**
 * Apostrophes and the characters that are written for them: single quotation marks, primes, accents without a letter, and the letters
 * for a glottal stop. U+0091 and U+0092 are quotation marks of Windows-1252 in a text that was read as ISO 8859-1.
 */
const APOSTROPHES = [
  String.raw`'\x60\u0091\u0092\u00b4\u02b9\u02bb-\u02bf\u02c8\u02ca\u02cb\u02ee\u0374\u0384\u055a\u055b\u05f3\u07f4\u07f5`,
  String.raw`\u1fbd\u1fbf\u1fef\u1ffd\u1ffe\u2018-\u201b\u2032\u2035\ua78b\ua78c\uff07\uff40`,
].join('')
/** Hyphens and dashes of Unicode, minus signs, the soft hyphen, and the dashes of Windows-1252 that were read as ISO 8859-1. */
const HYPHENS = String.raw`\p{Dash_Punctuation}\u0096\u0097\u00ad\u02d7\u2043\u2212`

const run = (characters: string): RegExp => new RegExp(String.raw`\s*[${characters}][\s${characters}]*`, 'gu')
const [APOSTROPHE, HYPHEN] = [run(APOSTROPHES), run(HYPHENS)]

const oneOfEachMark = (text: string): string => text.replaceAll(APOSTROPHE, "'").replaceAll(HYPHEN, '-')
