import { foldedWords } from './folded-text.ts'

/** An address in parts. Different writings of one address have the same parts. */
export interface StreetAddress {
  /** Words with spaces between them, without house number and unit. */
  readonly street: string
  readonly number: string
  /** Apartment, floor or building. Empty without one. */
  readonly unit: string
}

/** Words of street names, and their short forms. @source USPS Publication 28, appendices B and C1; Duden for German */
const SHORT: ReadonlyMap<string, string> = new Map(
  [
    'st street str strasse saint sankt',
    'ave avenue av avda avenida',
    'blvd boulevard bd boul',
    'dr drive',
    'rd road',
    'ln lane',
    'ct court',
    'cir circle',
    'pl place plaza platz plz',
    'sq square',
    'ter terrace terr',
    'trl trail',
    'hwy highway',
    'pkwy parkway',
    'expy expressway',
    'rte route',
    'way wy',
    'aly alley',
    'brg bridge',
    'ctr center centre',
    'hts heights',
    'mt mount',
    'ft fort',
    'n north',
    'e east',
    's south',
    'w west',
    'ne northeast',
    'nw northwest',
    'se southeast',
    'sw southwest',
  ].flatMap((line) => {
    const [short = '', ...others] = line.split(' ')
    return [short, ...others].map((word) => [word, short] as const)
  }),
)
/** German writes some of these words as one with the name: `Hauptstraße`, `Haupt Str.`, `Marktplatz`. */
const JOINED = /^(?<name>\p{L}{2,})(?<kind>strasse|str|platz)$/u
/** Words before the number of a unit. @source USPS Publication 28, appendix C2 */
const UNITS: ReadonlySet<string> = new Set(
  'apt apartment unit suite ste room rm floor fl bldg building dept department lot spc space trlr trailer # whg wohnung top stiege'.split(
    ' ',
  ),
)
/** A box is an address, and in no street. */
const BOX = /^(?:p ?o ?box|post ?office box|postfach)(?: |$)/
/** A number after such a word at the end is a unit: `Main St 4`. After `Highway` it is the name. */
const BEFORE_UNIT: ReadonlySet<string> = new Set('st ave blvd dr ln ct cir pl sq ter trl pkwy way aly'.split(' '))
const NUMBERED: ReadonlySet<string> = new Set(['hwy', 'rte', 'rd', 'rue'])
const NUMBER = /^\d/
const ORDINAL = /^\d+(?:st|nd|rd|th)$/
const HOUSE = (word: string): boolean => NUMBER.test(word) && !ORDINAL.test(word)

/**
 * Returns the parts of an address in the forms of North America and Europe, with the house number before or after the street. Returns
 * undefined for a text without a house number or without a name: `unknown`, `12`, `General Delivery`. The street of a box is empty.
 */
export function streetAddress(text: string): StreetAddress | undefined {
  const words = wordsOf(text)
  const box = BOX.exec(words.join(' '))
  if (box !== null) {
    const number = words.find((word) => NUMBER.test(word))
    return number === undefined ? undefined : { street: '', number: `box ${number}`, unit: '' }
  }
  const { before, unit } = withoutUnit(words)
  const { street, number, rest } = HOUSE(before[0] ?? '') ? numberFirst(before) : numberLast(before)
  if (number.length === 0 || !isNamed(street)) return undefined
  return { street: street.join(' '), number: number.join(' '), unit: [...rest, ...unit].join(' ') }
}

function wordsOf(text: string): readonly string[] {
  const words: string[] = []
  // `S.W.` is one direction
  const plain = text
    .normalize('NFKC')
    .replaceAll(/(?<![\p{L}\p{N}.])([ns])\. ?([ew])\./giu, '$1$2 ')
    .replaceAll('#', ' # ')
  // `#4` names a unit, and `12-14` and `12/3` are one number
  for (const word of foldedWords(plain, /[\p{L}\p{N}]+(?:[-–/](?=\d)[\p{L}\p{N}]+)*|#/gu)) {
    const last = words.at(-1) ?? ''
    const joined = JOINED.exec(word)?.groups
    if (joined !== undefined) words.push(joined['name'] ?? '', SHORT.get(joined['kind'] ?? '') ?? '')
    // a house number with its letter: `12 a`
    else if (/^\p{L}$/u.test(word) && /^\d+$/.test(last) && words.length > 1) words[words.length - 1] = `${last}${word}`
    else words.push(SHORT.get(word) ?? word.replace('–', '-'))
  }
  return words
}

/** Takes what follows the first word for a unit. The first word of an address is no such word: `Suite Street 4`. */
function withoutUnit(words: readonly string[]): { readonly before: readonly string[]; readonly unit: readonly string[] } {
  const at = words.findIndex((word, place) => place > 0 && UNITS.has(word))
  if (at < 0) return { before: words, unit: [] }
  return { before: words.slice(0, at), unit: words.slice(at).filter((word) => !UNITS.has(word)) }
}

/** A kind of street or a direction alone is no name. `A Street` and `Highway 9` are names. */
function isNamed(street: readonly string[]): boolean {
  return street.some((word, place) => {
    if (HOUSE(word)) return NUMBERED.has(street[place - 1] ?? '')
    return !SHORT.has(word) && (word.length > 1 || street.length > 1)
  })
}

interface Numbered {
  readonly number: readonly string[]
  readonly street: readonly string[]
  /** The words after the street. */
  readonly rest: readonly string[]
}

function numberFirst(words: readonly string[]): Numbered {
  const start = words.findIndex((word) => !HOUSE(word))
  const name = start < 0 ? [] : words.slice(start)
  const last = name.at(-1) ?? ''
  const isUnit = name.length > 2 && HOUSE(last) && BEFORE_UNIT.has(name.at(-2) ?? '')
  const number = start < 0 ? words : words.slice(0, start)
  return isUnit ? { number, street: name.slice(0, -1), rest: [last] } : { number, street: name, rest: [] }
}

/** The last run of numbers has the house number: `Straße des 17. Juni 135`, `Kerkstraat 12 2`. */
function numberLast(words: readonly string[]): Numbered {
  const end = words.findLastIndex(HOUSE)
  let start = end
  while (start > 0 && HOUSE(words[start - 1] ?? '')) start--
  if (end < 0) return { number: [], street: words, rest: [] }
  return { number: words.slice(start, start + 1), street: words.slice(0, start), rest: words.slice(start + 1) }
}
