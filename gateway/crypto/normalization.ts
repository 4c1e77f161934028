import type { Normalization } from '../../directives/policy.ts'

/** UTF-16 code units of a value that is indexed or searched for: no identifier and no name is longer. */
const LONGEST = 256

/**
 * The form in which two spellings of a value are the same, or undefined for what is not indexed: another thing than text, a
 * text over 256 code units, or one of which nothing is left.
 *
 * CASE_AND_SPACE: Unicode NFKC (UAX #15), upper and lower case made one, runs of white space one space, none at the ends.
 * Diacritics stay: `Müller` and `Muller` are two names, and to take one for the other would show the wrong person.
 *
 * DIGITS: the digits 0 to 9 of the NFKC form, nothing else. No digit is left out: a country code in front of a number is a part
 * of it, since nothing tells a country code from the first digits of another number.
 */
export function normalized(value: unknown, how: Normalization): string | undefined {
  if (typeof value !== 'string' || value.length > LONGEST) return undefined
  const text = NORMALIZED[how](value.normalize('NFKC'))
  return text === '' ? undefined : text
}

const NORMALIZED: Readonly<Record<Normalization, (text: string) => string>> = {
  // by way of upper case, which has no two forms of one letter: `ß` is `SS`, and a final sigma is a sigma
  CASE_AND_SPACE: (text) => text.toUpperCase().toLowerCase().normalize('NFKC').replaceAll('ς', 'σ').replaceAll(/\s+/g, ' ').trim(),
  DIGITS: (text) => text.replaceAll(/[^0-9]/g, ''),
}
