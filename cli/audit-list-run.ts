import type { Command } from 'commander'
import type { PolicyTable } from '../directives/policy.ts'
import type { AuditReview } from '../gateway/admin/audit-review.ts'
import { readRequestId } from '../gateway/audit/request-id.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { accessFilter } from '../gateway/oversight/access-filter.ts'
import { accessPage } from '../gateway/oversight/access-page.ts'
import type { AccessPosition, RecordedAccess } from '../gateway/oversight/recorded-access.ts'
import { type AccessFilterFlags, filterOf } from './access-filter-options.ts'
import { withAuditReview } from './audit-session.ts'
import { emptyText, MALFORMED_REQUEST, requireCategory } from './known-values.ts'
import { Refused } from './refused.ts'
import { printLine } from './terminal.ts'

export interface ListFlags extends AccessFilterFlags {
  readonly tenant: TenantId
  readonly request?: string
  readonly from?: number
  readonly to?: number
  readonly first: number
  readonly all?: true
  readonly json?: true
}

/** Accesses that are read at a time. Each page is one review in the log. */
const PAGE = 500

/** Prints the accesses that the options select, latest first. */
export async function listAccesses(flags: ListFlags, command: Command): Promise<void> {
  const { request } = flags
  if (request !== undefined && readRequestId(request) === undefined) throw new Refused(MALFORMED_REQUEST)
  await withAuditReview(flags, command, async (review, { policy }) => {
    requireCategory(flags.category, policy)
    const printed = await printAccesses(review, policy, flags)
    if (printed === 0) printLine(await emptyText({ review, policy, flags }), 'stderr')
  })
}

/** Returns the number of printed accesses. */
async function printAccesses(review: AuditReview, policy: PolicyTable, flags: ListFlags): Promise<number> {
  const { first, all, json, request: requestId, from, to } = flags
  const given = { ...filterOf(flags), ...(requestId !== undefined && { requestId }) }
  const filter = accessFilter(policy, given, { from, to })
  let left = all === true ? Number.POSITIVE_INFINITY : first
  let printed = 0
  let after: AccessPosition | undefined
  do {
    const request = { first: Math.min(PAGE, left), ...(after && { after }) }
    const question = { field: 'fieldAccesses', args: { filter: { ...given, from, to }, ...request }, patient: filter.patient }
    const page = await review.ask(question, async ({ reader, deadline }) => {
      const answer = await accessPage(reader, filter, request, deadline)
      return { answer, count: answer.accesses.length }
    })
    for (const access of page.accesses) printLine(json === true ? JSON.stringify(access) : line(access))
    printed += page.accesses.length
    left -= page.accesses.length
    after = page.next
  } while (after !== undefined && left > 0)
  if (after !== undefined) printLine('More accesses follow. List them with --all.', 'stderr')
  return printed
}

/** One line of text with the main fields: time, caller, outcome, field, patient and reason. */
function line(access: RecordedAccess): string {
  const { time, user, roles, purpose, action, outcome, path, view, reason, rule, basis, basisId, patient, count } = access
  const because = [reason, basis, basisId, rule, view === 'FULL' ? undefined : view].filter((part) => part !== undefined).join(' ')
  const caller = roles.length === 0 ? user : `${user} (${roles.join(' ')})`
  return `${time}  ${caller} ${purpose}  ${action} ${outcome}  ${path}${count === undefined ? '' : ` x${count}`}  ${patient ?? '-'}  ${because}`
}
