import { FilterTooBroad } from '../../model/failures.ts'
import type { AuditRoot } from '../audit-reader.ts'
import { reportSpan, timeOf } from '../reports/report-span.ts'
import type { ReviewedPeriod } from './review-status.ts'
import { readReviewStatus } from './review-status.ts'
import type { AccessReviewSettings } from './review-settings.ts'
import { signOffPayload } from './sign-off-payload.ts'

/** Each sign-off of an answer takes a look into the log. */
const MAX_SIGN_OFFS = 100

/** `accessReviewSignOffs`: those that were signed in a span. */
export const accessReviewSignOffs: AuditRoot<{ readonly from: string; readonly to: string }> = async (times, reading) => {
  const { from, to } = reportSpan(times)
  const { signOffs } = reading.reader
  const selected = (await signOffs.stored()).filter(({ at }) => at >= from && at <= to)
  if (selected.length > MAX_SIGN_OFFS) throw new FilterTooBroad(['from', 'to'])
  await signOffs.verify(selected, reading.deadline)
  return { value: selected.toReversed().map((one) => signOffPayload(one, reading.reviewSettings)), count: selected.length }
}

/** `accessReviewStatus`: the last periods, and whether their reviews are signed. */
export const accessReviewStatus: AuditRoot<object> = async (_, { reader, policy, reviewSettings: settings, now, deadline }) => {
  const periods = await readReviewStatus({ reader, settings, roles: [...policy.roles.keys()], now, deadline })
  return { value: statusPayload(periods, settings), count: periods.length }
}

/** A status as the type `AccessReviewStatus` of the schema. */
export const statusPayload = (periods: readonly ReviewedPeriod[], settings: AccessReviewSettings): object => ({
  every: settings.every,
  graceDays: settings.graceDays,
  timeZone: settings.timeZone,
  overdue: periods.filter(({ state }) => state === 'OVERDUE').length,
  periods: periods.map(({ period, state, completed, missingRoles, signOffs }) => ({
    period: period.name,
    from: timeOf(period.from),
    to: timeOf(period.end - 1),
    due: period.due,
    state,
    signedAt: completed === undefined ? null : timeOf(completed.at),
    signedBy: completed?.by ?? null,
    inTime: completed === undefined ? null : completed.at < period.dueEnd,
    missingRoles,
    signOffs: signOffs.map((one) => signOffPayload(one, settings)),
  })),
})
