import { dateSpan, type DateSpan } from '../../model/date-span.ts'
import { DATE_FORMS } from '../../model/limit-details.ts'
import { BadUserInput } from '../../model/failures.ts'

/** Control characters except line break and tab, and characters that change the direction of text: a page could show another text. */
export const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** The most characters of each text. */
export const MAX_TEXT = { NAME: 200, ADDRESS: 500, TEXT: 2_000, COPY: 20_000 } as const

/**
 * A text that a person entered, without spaces around it.
 *
 * @param kind NAME and ADDRESS are one line
 * @throws BadUserInput for an empty or too long text, half of a surrogate pair, and characters that cannot be printed
 */
export function enteredText(text: string, kind: keyof typeof MAX_TEXT): string {
  // before anything else: a text of any length can arrive
  if (text.length > MAX_TEXT[kind] + 100) throw new BadUserInput({ detail: enteredDetail(kind) })
  const entered = text.replaceAll('\r\n', '\n').trim()
  const isOneLine = kind === 'TEXT' || kind === 'COPY' || !/[\n\t]/.test(entered)
  if (entered === '' || entered.length > MAX_TEXT[kind] || !entered.isWellFormed() || !isOneLine)
    throw new BadUserInput({ detail: enteredDetail(kind) })
  if (entered.search(UNPRINTABLE) >= 0) throw new BadUserInput({ detail: enteredDetail(kind) })
  return entered
}

const enteredDetail = (kind: keyof typeof MAX_TEXT): string =>
  `A text is empty, has more than ${MAX_TEXT[kind]} characters, or has characters that cannot be printed.${kind === 'NAME' || kind === 'ADDRESS' ? ' Names and addresses are one line.' : ''}`

/** As `enteredText`; undefined for an argument that is left out. @throws BadUserInput */
export const optionalText = (text: string | null | undefined, kind: keyof typeof MAX_TEXT): string | undefined =>
  text === null || text === undefined ? undefined : enteredText(text, kind)

/** The time of an argument: a day, a month, a year or a moment. @throws BadUserInput */
export function enteredTime(text: string): DateSpan {
  const span = dateSpan(text)
  if (span === undefined) throw new BadUserInput({ detail: `A time of the argument is no date or time. ${DATE_FORMS}` })
  return span
}
