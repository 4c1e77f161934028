import * as z from 'zod'
import { localOffset } from '../anomalies/local-day.ts'

/** When access reviews are due, `PHI_ACCESS_REVIEWS`: monthly, within 15 days after the month. `docs/access-reviews.md` describes it. */
export const AccessReviewSettings = z.strictObject({
  /** The length of a period. Quarters begin in January, April, July and October. */
  every: z.enum(['MONTH', 'QUARTER']).default('MONTH'),
  /** The days after a period until its review is overdue. */
  graceDays: z.int().min(1).max(92).default(15),
  /** The time zone of the clinic: periods and due days are local. */
  timeZone: z
    .string()
    .refine((zone) => localOffset(zone, 0) !== undefined)
    .default('UTC'),
  /** The first day that needs a review. Left out: the day of the first sealed item of the log. */
  begins: z.iso.date().optional(),
})

export type AccessReviewSettings = Readonly<z.infer<typeof AccessReviewSettings>>
