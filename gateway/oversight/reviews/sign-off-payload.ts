import { timeOf } from '../reports/report-span.ts'
import { coveredPeriods } from './review-periods.ts'
import type { AccessReviewSettings } from './review-settings.ts'
import type { SignOff } from './sign-off.ts'

/** A sign-off as the type `AccessReviewSignOff` of the schema. */
export function signOffPayload(signOff: SignOff, settings: AccessReviewSettings): object {
  const { number, at, by, from, to, role, policy, digest, decision, note, findings, requestId } = signOff
  return {
    id: String(number),
    at: timeOf(at),
    by,
    from: timeOf(from),
    to: timeOf(to),
    role: role ?? null,
    policy,
    digest,
    decision,
    note: note ?? null,
    findings,
    requestId,
    periods: coveredPeriods(settings, signOff).map(({ name, due, dueEnd }) => ({ period: name, due, inTime: at < dueEnd })),
  }
}
