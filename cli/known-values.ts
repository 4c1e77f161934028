import type { PolicyTable } from '../directives/policy.ts'
import type { AuditReview } from '../gateway/admin/audit-review.ts'
import { readRequestId } from '../gateway/audit/request-id.ts'
import type { OutcomeReason } from '../gateway/model/access-record.ts'
import { accessFilter, type FilterArguments } from '../gateway/oversight/access-filter.ts'
import { accessPage } from '../gateway/oversight/access-page.ts'
import type { StackFile } from '../infra/local/stack-file.ts'
import { DEMO_CLIENT, PORTAL_CLIENT } from '../infra/local/token.ts'
import type { AccessFilterFlags } from './access-filter-options.ts'
import { type Choices, chosen, unknownText } from './choices.ts'
import { Refused } from './refused.ts'
import { systemUsers } from './stack-user.ts'

const REASONS: Readonly<Record<OutcomeReason, true>> = {
  ROLE: true,
  PURPOSE: true,
  RELATIONSHIP: true,
  CONSENT: true,
  MFA: true,
  STEP_UP: true,
  UNKNOWN_FIELD: true,
  BUDGET: true,
  SIZE: true,
  CONTRACT: true,
  NOT_FOUND: true,
  INTEGRITY: true,
  KEY: true,
  STORE: true,
  VERSION: true,
}

/** The bases of decisions, besides relationships. */
const OTHER_BASES = ['BREAK_GLASS', 'CONSENT', 'STUDY']

/** A request id is not one that a gateway makes. */
export const MALFORMED_REQUEST =
  '--request is no request id, which has 24 letters, digits, hyphens and underscores. Copy extensions.phi.requestId of the response.'

/** @throws Refused with the roles of the policy */
export function requireRole(role: string | undefined, { roles }: PolicyTable): void {
  if (role !== undefined) chosen(role, { noun: 'role', of: 'the schema', known: roles.keys(), option: '--role' })
}

/** @throws Refused with the categories of the policy */
export function requireCategory(category: string | undefined, { phi }: PolicyTable): void {
  if (category === undefined) return
  const known = [...phi.values()].map((one) => one.category)
  chosen(category, { noun: 'category', nouns: 'categories', of: 'the schema', known, option: '--category' })
}

/** A question that found nothing. */
export interface EmptyAnswer {
  readonly review: AuditReview
  readonly policy: PolicyTable
  readonly flags: AccessFilterFlags & { readonly tenant: string; readonly request?: string }
}

/**
 * The line for a question that found no access. The log can have records of values that the policy and the stack no longer know: a value
 * is refused only after nothing was found. A deployment knows the ids of users and clients from its identity provider alone.
 *
 * @throws Refused with the choices if nothing can have the value
 */
export async function emptyText({ review, policy, flags }: EmptyAnswer): Promise<string> {
  const { path, reason, basis, user, client, request, tenant } = flags
  const of = 'the policy in force'
  refuseUnknown(path, { noun: 'field', of, known: policy.phi.keys(), option: '--path', list: 'phi policy table' })
  refuseUnknown(reason, { noun: 'reason', of, known: Object.keys(REASONS), option: '--reason' })
  refuseUnknown(basis, { noun: 'basis', nouns: 'bases', of, known: basesOf(policy), option: '--basis' })
  const users = systemUsers()
  if (users !== undefined) {
    const of = 'the local stack'
    if (user !== undefined && !isStackUser(user, users) && !(await hasAccesses(review, policy, { userId: user })))
      throw new Refused(
        `${unknownText(user, { noun: 'user', of, known: users.map(({ name }) => name), option: '--user' })} The log of ${tenant} has no access of another user of this name.`,
      )
    if (client?.startsWith('phi-') === false)
      refuseUnknown(client, { noun: 'client', of, known: clientsOf(users), option: '--client' })
  }
  if (request === undefined || (await hasAccesses(review, policy, { requestId: request })))
    return `No access in the log of ${tenant} matches these options.`
  return noRequestText(request, tenant)
}

const clientsOf = (users: StackFile['users']): readonly string[] => [
  DEMO_CLIENT,
  PORTAL_CLIENT,
  ...users.flatMap((user) => (user.client ? [user.name] : [])),
]

/** Operators have the prefix `os:`. */
const isStackUser = (user: string, users: StackFile['users']): boolean =>
  user.startsWith('os:') || users.some(({ name }) => name === user)

const basesOf = ({ phi }: PolicyTable): readonly string[] => [
  ...[...phi.values()].flatMap(({ grants }) => grants.map(({ relationship }) => relationship)),
  ...OTHER_BASES,
]

function refuseUnknown(value: string | undefined, choices: Choices): void {
  if (value !== undefined) chosen(value, choices)
}

/** Why the log of a tenant can lack a request. The time is part of its id. */
export function noRequestText(request: string, tenant: string): string {
  const { at } = readRequestId(request) ?? {}
  const time = at === undefined ? '' : ` of ${new Date(at).toISOString()}`
  return `No record of this request${time} in the log of ${tenant}. A request that asks for no protected field leaves none. Otherwise it is of another tenant, stage or data folder: check --tenant, PHI_STAGE and PHI_DATA.`
}

/** Whether the log has an access of a user or a request, at any time. The log records this review, too. */
async function hasAccesses(review: AuditReview, policy: PolicyTable, given: FilterArguments): Promise<boolean> {
  const filter = accessFilter(policy, given, { from: undefined, to: undefined })
  return await review.ask({ field: 'fieldAccesses', args: { filter: given, first: 1 } }, async ({ reader, deadline }) => {
    const { accesses } = await accessPage(reader, filter, { first: 1 }, deadline)
    return { answer: accesses.length > 0, count: accesses.length }
  })
}
