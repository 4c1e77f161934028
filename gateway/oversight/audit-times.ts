import { dateSpan } from '../model/date-span.ts'
import { DATE_FORMS } from '../model/limit-details.ts'
import { BadUserInput } from '../model/failures.ts'

/** The arguments `from` and `to` of a question. */
export interface TimeArguments {
  readonly from?: string | null
  readonly to?: string | null
}

/**
 * The first moment of `from` and the last one of `to`, in milliseconds since the epoch.
 *
 * @throws BadUserInput for a text that is no time
 */
export const timesOf = ({ from, to }: TimeArguments): { readonly from: number | undefined; readonly to: number | undefined } => ({
  from: spanOf(from)?.from,
  to: lastOf(spanOf(to)?.end),
})

function spanOf(text: string | null | undefined): ReturnType<typeof dateSpan> {
  if (text === null || text === undefined) return undefined
  const span = dateSpan(text)
  if (span === undefined) throw new BadUserInput({ detail: `\`from\` or \`to\` is no date or time. ${DATE_FORMS}` })
  return span
}

const lastOf = (end: number | undefined): number | undefined => (end === undefined ? undefined : end - 1)
