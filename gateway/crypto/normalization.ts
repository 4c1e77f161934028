import type { Normalization } from '../../directives/policy.ts'

/** UTF-16 code units of an indexed or searched value. No identifier and no name is longer. */
const MAX_LENGTH = 256

/**
 * Returns the normalized form of a value, in which different spellings are equal. Returns undefined for values that are not
 * indexed: a value that is not text, a text over 256 code units, and a text whose normalized form is empty.
 *
 * - CASE_AND_SPACE: Unicode NFKC (UAX #15), one case, each run of white space as one space, no white space at the ends.
 *   Diacritics stay: `Müller` and `Muller` are different names, and a match between them would show the wrong person.
 * - DIGITS: the digits 0 to 9 of the NFKC form, and nothing else. All digits count, those of a country code too, because a
 *   country code looks like the first digits of another number.
 */
export function normalized(value: unknown, how: Normalization): string | undefined {
  if (typeof value !== 'string' || value.length > MAX_LENGTH) return undefined
  const text = NORMALIZED[how](value.normalize('NFKC'))
  return text === '' ? undefined : text
}

const NORMALIZED: Readonly<Record<Normalization, (text: string) => string>> = {
  // upper case first, because it has one form of each letter: `ß` becomes `SS`, and a final sigma becomes a sigma
  CASE_AND_SPACE: (text) => text.toUpperCase().toLowerCase().normalize('NFKC').replaceAll('ς', 'σ').replaceAll(/\s+/g, ' ').trim(),
  DIGITS: (text) => text.replaceAll(/[^0-9]/g, ''),
}
