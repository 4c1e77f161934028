import type { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { accessFilter } from '../gateway/oversight/access-filter.ts'
import { type AccessReview, reviewAccess } from '../gateway/oversight/reports/access-review.ts'
import { reportExposure } from '../gateway/oversight/reports/exposure-report.ts'
import { type AccessFilterFlags, filterOf } from './access-filter-options.ts'
import { withAuditReview } from './audit-session.ts'
import { exposureText } from './exposure-text.ts'
import { emptyText, requireRole } from './known-values.ts'
import { reviewText, signOffHint } from './review-text.ts'
import { printLine, printText } from './terminal.ts'

export interface SpanFlags {
  readonly tenant: TenantId
  readonly from: number
  readonly to: number
}

export interface ReviewFlags extends SpanFlags {
  readonly role?: string
  readonly json?: true
}

export interface ExposureFlags
  extends SpanFlags,
    Pick<AccessFilterFlags, 'patient' | 'user' | 'client' | 'session' | 'ip' | 'path'> {
  readonly json?: true
}

/** Prints an access review. */
export async function printReview(flags: ReviewFlags, command: Command): Promise<void> {
  const review = await reviewOf(flags, command)
  if (flags.json === true) printLine(JSON.stringify(review))
  else printText(`${reviewText(review)}${signOffHint(review, flags)}`)
}

/** The access review of a span, by one role or by all. */
export async function reviewOf(flags: SpanFlags & Pick<ReviewFlags, 'role'>, command: Command): Promise<AccessReview> {
  const { role: named, ...span } = flags
  return await withAuditReview(flags, command, async (audit, { policy }) => {
    requireRole(named, policy)
    const role = [...policy.roles.keys()].find((one) => one === named)
    const scope = { from: span.from, to: span.to, ...(role !== undefined && { role }) }
    return await audit.ask({ field: 'accessReview', args: scope }, async (reading) => {
      const answer = await reviewAccess(reading, scope)
      return { answer, count: answer.grants.length }
    })
  })
}

/** Prints an exposure report. */
export async function printExposure(flags: ExposureFlags, command: Command): Promise<void> {
  const { json, from, to } = flags
  const given = filterOf(flags)
  const report = await withAuditReview(flags, command, async (audit, { policy }) => {
    const filter = accessFilter(policy, given, { from, to })
    const question = { field: 'exposureReport', args: { filter: { ...given, from, to } }, patient: filter.patient }
    const found = await audit.ask(question, async (reading) => {
      const answer = await reportExposure(reading, filter, { from, to })
      return { answer, count: answer.records }
    })
    if (found.records === 0) printLine(await emptyText({ review: audit, policy, flags }), 'stderr')
    return found
  })
  if (json === true) printLine(JSON.stringify(report))
  else printText(exposureText(report))
}
