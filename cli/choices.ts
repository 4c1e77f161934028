import { suggestionList } from 'graphql/jsutils/suggestionList.js'
import { Refused } from './refused.ts'

/** The values that an option can have. */
export interface Choices {
  /** `role`, `path`. */
  readonly noun: string
  /** The plural of the noun, if it is not the noun with an s. */
  readonly nouns?: string
  /** `the schema`, `the tenant`. */
  readonly of: string
  readonly known: Iterable<string>
  /** The option or argument that has the value: `--role`. */
  readonly option: string
  /** A sentence about a value that is right and none of the choices yet. */
  readonly otherwise?: string
  /** The command that lists the values, if they are too many for a message. */
  readonly list?: string
}

/** More values than these fill a terminal: a message then has the nearest ones. */
const MAX_LISTED = 40
const MAX_NEAREST = 3

/**
 * The message for a value that is none of the choices: the nearest ones, then all. It does not repeat the value, which can be any text.
 */
export function unknownText(given: string, { noun, nouns = `${noun}s`, of, known, option, otherwise, list }: Choices): string {
  const all = [...new Set(known)]
  const nearest = suggestionList(given, all).slice(0, MAX_NEAREST)
  return [
    `${of} has no such ${noun} (${option}).`,
    ...(nearest.length === 0 ? [] : [`Did you mean ${orText(nearest)}?`]),
    ...(otherwise === undefined ? [] : [otherwise]),
    ...(all.length === 0 ? [`It has no ${nouns}.`] : []),
    ...(all.length > 0 && all.length <= MAX_LISTED ? [`The ${nouns} are: ${all.join(', ')}.`] : []),
    ...(all.length > MAX_LISTED && list !== undefined ? [`List the ${nouns} with: ${list}`] : []),
  ].join(' ')
}

/** Returns the value if it is one of the choices. @throws Refused with the choices */
export function chosen(given: string, choices: Choices): string {
  const known = [...choices.known]
  if (!known.includes(given)) throw new Refused(unknownText(given, { ...choices, known }))
  return given
}

function orText(names: readonly string[]): string {
  const last = names.at(-1) ?? ''
  return names.length <= 1 ? last : `${names.slice(0, -1).join(', ')} or ${last}`
}
