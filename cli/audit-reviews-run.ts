import type { Command } from 'commander'
import { columns } from '../directives/table.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { timeOf } from '../gateway/oversight/reports/report-span.ts'
import { statusPayload } from '../gateway/oversight/reviews/review-roots.ts'
import type { AccessReviewSettings } from '../gateway/oversight/reviews/review-settings.ts'
import { readReviewStatus, type ReviewedPeriod } from '../gateway/oversight/reviews/review-status.ts'
import { REVIEW_DECISIONS, type ReviewDecision } from '../gateway/oversight/reviews/sign-off.ts'
import { signOffAccessReview, type SignOffInput, UnknownFinding } from '../gateway/oversight/reviews/sign-off-act.ts'
import type { ReviewFlags } from './audit-reports-run.ts'
import { withAuditReview } from './audit-session.ts'
import { unknownText } from './choices.ts'
import { Refused } from './refused.ts'
import { printLine, printText } from './terminal.ts'

export interface SignOffFlags {
  readonly signOff?: ReviewDecision
  readonly digest?: string
  readonly note?: string
  readonly finding?: readonly string[]
}

export interface StatusFlags {
  readonly tenant: TenantId
  readonly json?: true
}

const IS_OVERDUE = 1
const CANNOT_ANSWER = 2

/** Signs the access review of a span under the account of the operator. */
export async function signOff(flags: ReviewFlags & SignOffFlags, command: Command): Promise<void> {
  const { from, to, role, digest, note, finding = [], signOff: decision, json } = flags
  if (digest === undefined || decision === undefined)
    return command.error('error: --sign-off needs --digest: print the review first')
  const input: SignOffInput = {
    from: timeOf(from),
    to: timeOf(to),
    digest,
    decision,
    findings: finding.map((text) => findingOf(text, command)),
    ...(role !== undefined && { role }),
    ...(note !== undefined && { note }),
  }
  const signed = await withAuditReview(flags, command, async (review) => {
    try {
      return await review.perform('signOffAccessReview', signOffAccessReview, { input })
    } catch (error) {
      if (error instanceof UnknownFinding) throw new Refused(unknownFindingText(error))
      throw error
    }
  })
  const { id, by } = signed as { readonly id: string; readonly by: string }
  printLine(json === true ? JSON.stringify(signed) : `signed: ${id} by ${by}`)
}

function unknownFindingText({ given, rules, users }: UnknownFinding): string {
  const list = 'phi audit review --json'
  return unknownText(given, { noun: 'finding', of: 'the review', known: [...rules, ...users], option: '--finding', list })
}

/** A finding and its decision. The rule of a grant has a number sign, and no user does. */
function findingOf(text: string, command: Command): NonNullable<SignOffInput['findings']>[number] {
  const at = text.lastIndexOf('=')
  const named = text.slice(0, Math.max(at, 0))
  const decision = REVIEW_DECISIONS.find((one) => one === text.slice(at + 1))
  if (named === '' || decision === undefined)
    return command.error(`error: --finding is RULE=DECISION or USER=DECISION, with ${REVIEW_DECISIONS.join(', ')}`)
  return { ...(/#\d+$/.test(named) ? { rule: named } : { userId: named }), decision }
}

/** Prints the last periods that need an access review. */
export async function printStatus(flags: StatusFlags, command: Command): Promise<void> {
  const { periods, settings } = await withAuditReview(flags, command, statusOf, CANNOT_ANSWER)
  if (periods.some(({ state }) => state === 'OVERDUE')) process.exitCode = IS_OVERDUE
  if (flags.json === true) {
    printLine(JSON.stringify(statusPayload(periods, settings)))
    return
  }
  if (periods.length === 0) printLine('no period needs a review yet')
  else printText(columns([['period', 'state', 'due', 'signed', 'by', 'missing roles'], ...periods.map(rowOf)]))
  const next = periods.findLast(({ state }) => state === 'OVERDUE' || state === 'DUE')
  if (next === undefined) return
  const { from, end } = next.period
  printLine(`Next: phi audit review --tenant ${flags.tenant} --from ${timeOf(from)} --to ${timeOf(end - 1)}`)
}

const statusOf: Parameters<typeof withAuditReview<{ periods: readonly ReviewedPeriod[]; settings: AccessReviewSettings }>>[2] =
  async (review) =>
    await review.ask(
      { field: 'accessReviewStatus', args: {} },
      async ({ reader, policy, reviewSettings: settings, now, deadline }) => {
        const periods = await readReviewStatus({ reader, settings, roles: [...policy.roles.keys()], now, deadline })
        return { answer: { periods, settings }, count: periods.length }
      },
    )

function rowOf({ period, state, completed, missingRoles, signOffs }: ReviewedPeriod): string[] {
  const signed = completed === undefined ? '' : timeOf(completed.at).slice(0, 10)
  const late = completed !== undefined && completed.at >= period.dueEnd ? ' (late)' : ''
  const missing = signOffs.length === 0 ? 'all' : missingRoles.join(' ')
  return [period.name, state, period.due, `${signed}${late}`, completed?.by ?? '', state === 'SIGNED' ? '' : missing]
}
