import { dateSpan } from '../model/date-span.ts'
import { DATE_FORMS } from '../model/limit-details.ts'
import { BadUserInput } from '../model/failures.ts'
import type { Json } from '../model/record.ts'

/** The span of a question: milliseconds since the epoch, both inclusive. */
export interface QuestionSpan {
  readonly from: number
  readonly to: number
  /** As the client sent it. */
  readonly bound: Json
}

/** The span of the arguments `from` and `to`. @throws BadUserInput for a text that is no time, and for a reversed span */
export function spanOf(args: Readonly<Record<string, unknown>>): QuestionSpan {
  const [from, to] = [partOf(args['from']), partOf(args['to'])]
  if (from.from > to.end - 1) throw new BadUserInput({ detail: '`from` is after `to`. Exchange them.' })
  return { from: Math.max(0, from.from), to: Math.max(0, to.end - 1), bound: [String(args['from']), String(args['to'])] }
}

function partOf(text: unknown): NonNullable<ReturnType<typeof dateSpan>> {
  const span = typeof text === 'string' ? dateSpan(text) : undefined
  if (span === undefined) throw new BadUserInput({ detail: `\`from\` or \`to\` is no date or time. ${DATE_FORMS}` })
  return span
}
