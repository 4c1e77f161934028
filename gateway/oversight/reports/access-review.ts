import type { GraphQLSchema } from 'graphql'
import { type GrantLine, grantLines } from '../../../directives/grant-lines.ts'
import { narrowGrants, type NarrowedGrant } from '../../../directives/narrow.ts'
import type { Grant, PolicyTable, Role } from '../../../directives/policy.ts'
import { BadUserInput, FilterTooBroad } from '../../model/failures.ts'
import type { AuditReading, AuditRoot } from '../audit-reader.ts'
import type { TimeArguments } from '../audit-times.ts'
import { type PathUses, type RoleUse, type RuleUses, usesByRule } from './grant-uses.ts'
import { type PeerOutlier, peerOutliers } from './peer-outliers.ts'
import { type ReportSpan, reportSpan, timeOf } from './report-span.ts'
import { reviewDigest } from './review-digest.ts'
import { MAX_USERS, type ReviewFacet, reviewQuestion } from './review-statements.ts'
import type { Statement } from '../tables/statements/statement.ts'
import { numberIn, requiredText, requiredTime, type Row, textIn } from './row-values.ts'

interface Arguments extends TimeArguments {
  readonly role?: string | null
}

/** The scope of a review. */
export interface ReviewScope extends ReportSpan {
  /** Absent: all roles. */
  readonly role?: Role
}

/** The ports and the policy that a review reads. */
export type ReviewParts = Pick<AuditReading, 'policy' | 'schema' | 'deadline'> & {
  readonly reader: Pick<AuditReading['reader'], 'tables'>
}

/** An access review. The schema of the API describes the members. */
export interface AccessReview {
  readonly from: string
  readonly to: string
  readonly role?: Role
  readonly policy: string
  readonly examined: number
  readonly policies: readonly PolicyRecords[]
  readonly decidedByAnotherPolicy: number
  readonly attributedFrom?: string
  readonly grants: readonly GrantReview[]
  readonly neverUsed: readonly UnusedGrant[]
  readonly denials: readonly DenialReview[]
  readonly outliers: readonly PeerOutlier[]
  readonly digest: string
}

interface PolicyRecords {
  readonly policy: string
  readonly inForce: boolean
  readonly records: number
  readonly earliest: string
  readonly latest: string
}

interface GrantReview {
  readonly rule: string
  readonly file?: string
  readonly line?: number
  readonly sdl?: string
  readonly purposes: readonly string[]
  readonly relationship: string
  readonly actions: readonly string[]
  readonly view: string
  readonly roles: readonly RoleUse[]
  readonly paths: readonly { readonly path: string; readonly records: number }[]
}

export interface UnusedGrant {
  readonly rule: string
  readonly roles: readonly Role[]
  readonly file: string
  readonly line: number
  readonly sdl: string
  readonly narrowed?: string
  readonly remove: boolean
  readonly paths: readonly string[]
  readonly warning?: string
}

interface DenialReview {
  readonly role: string
  readonly path: string
  readonly action: string
  readonly reason?: string
  readonly records: number
  readonly users: number
  readonly latest: string
}

/** `accessReview`: the grants of the policy in force beside their uses. Control C21. */
export const accessReview: AuditRoot<Arguments> = async ({ role: named, ...times }, reading) => {
  const review = await reviewAccess(reading, { ...reportSpan(times), ...roleOf(reading.policy, named) })
  return { value: review, count: review.grants.length + review.denials.length + review.outliers.length }
}

/** The role of a scope: all roles if none is named. @throws BadUserInput for a role that the policy does not have */
export function roleOf({ roles }: PolicyTable, named: string | null | undefined): Pick<ReviewScope, 'role'> {
  if (named === null || named === undefined) return {}
  const role = [...roles.keys()].find((one) => one === named)
  if (role === undefined)
    throw new BadUserInput({ detail: () => `\`role\` is no role of the policy. Choose one of: ${[...roles.keys()].join(', ')}.` })
  return { role }
}

/**
 * Compares the grants of the policy in force with the records of a span.
 *
 * @throws FilterTooBroad for more users than can be compared, or a span that the tables refuse; AuditLogUnavailable, StoreUnavailable
 */
export async function reviewAccess({ reader, policy, schema, deadline }: ReviewParts, scope: ReviewScope): Promise<AccessReview> {
  const { from, to, role } = scope
  const reviewed = role === undefined ? [...policy.roles.keys()] : [role]
  const { rows, examined } = await reader.tables.ask({ ...reviewStatement(policy, reviewed), span: { from, to } }, deadline)
  const byFacet = Map.groupBy(rows, (row) => requiredText(row, 'facet'))
  const rowsOf = (facet: ReviewFacet): readonly Row[] => byFacet.get(facet) ?? []
  const policies = rowsOf('POLICY')
    .map((row) => policyRecords(row, policy.digest))
    .toSorted((one, other) => other.records - one.records)
  const uses = usesByRule(policy, reviewed, rowsOf('USE'), pathUses(rowsOf('PATHS')))
  const lines = grantLines(schema)
  const inForce = policies.find((one) => one.inForce)
  const review = {
    from: timeOf(from),
    to: timeOf(to),
    ...(role !== undefined && { role }),
    policy: policy.digest,
    examined,
    policies,
    decidedByAnotherPolicy: policies.reduce((sum, one) => sum + (one.inForce ? 0 : one.records), 0),
    ...(inForce !== undefined && { attributedFrom: inForce.earliest }),
    grants: [...uses.values()].map((one) => grantReview(one, lines.get(one.grant.rule))),
    neverUsed: unusedGrants(schema, uses),
    denials: rowsOf('DENIAL')
      .map(denialReview)
      .toSorted((one, other) => other.records - one.records),
    outliers: outliersAmong(rowsOf('USER'), rowsOf('PATIENTS'), rowsOf('SOLE')),
  }
  return { ...review, digest: reviewDigest(review) }
}

/** The narrowed grants of a review: what `phi policy narrow` prints. */
export function narrowedBy(schema: GraphQLSchema, { neverUsed }: Pick<AccessReview, 'neverUsed'>): readonly NarrowedGrant[] {
  return narrowGrants(schema, new Map(neverUsed.map(({ rule, roles }) => [rule, new Set(roles)])))
}

/** The statement of a review of some roles. */
export function reviewStatement({ digest, roles }: PolicyTable, reviewed: readonly Role[]): Statement {
  const known = reviewed.flatMap((role) => roles.get(role) ?? [])
  const groups = [...Map.groupBy(known, ({ mayClaim }) => mayClaim.toSorted().join(' ')).values()]
  // a patient reads the own record: patients are no peers of each other
  const compared = known.filter(({ kind }) => kind !== 'PATIENT')
  return reviewQuestion({
    policy: digest,
    claims: groups.map((group) => ({ roles: group.map(({ role }) => role), purposes: group[0]?.mayClaim ?? [] })),
    compared: compared.map(({ role }) => role),
    comparedPurposes: [...new Set(compared.flatMap(({ mayClaim }) => mayClaim))],
  })
}

function policyRecords(row: Row, digest: string): PolicyRecords {
  const policy = requiredText(row, 'policy')
  return {
    policy,
    inForce: policy === digest,
    records: numberIn(row, 'records'),
    earliest: timeOf(requiredTime(row, 'earliest')),
    latest: timeOf(requiredTime(row, 'latest')),
  }
}

const pathUses = (rows: readonly Row[]): readonly PathUses[] =>
  rows.map((row) => ({
    path: requiredText(row, 'path'),
    action: requiredText(row, 'action'),
    role: requiredText(row, 'role'),
    purpose: requiredText(row, 'purpose'),
    records: numberIn(row, 'records'),
    latest: requiredTime(row, 'latest'),
  }))

function denialReview(row: Row): DenialReview {
  const reason = textIn(row, 'refusal')
  return {
    role: requiredText(row, 'role'),
    path: requiredText(row, 'path'),
    action: requiredText(row, 'action'),
    ...(reason !== undefined && reason !== '' && { reason }),
    records: numberIn(row, 'records'),
    users: numberIn(row, 'users'),
    latest: timeOf(requiredTime(row, 'latest')),
  }
}

/** @throws FilterTooBroad */
function outliersAmong(users: readonly Row[], patients: readonly Row[], soles: readonly Row[]): readonly PeerOutlier[] {
  if (users.length > MAX_USERS || patients.length > MAX_USERS) throw new FilterTooBroad(['role'])
  const patientsOf = new Map(patients.map((row) => [requiredText(row, 'user'), numberIn(row, 'different')]))
  return peerOutliers(
    users.map((row) => ({
      role: requiredText(row, 'role'),
      user: requiredText(row, 'user'),
      records: numberIn(row, 'records'),
      patients: patientsOf.get(requiredText(row, 'user')) ?? 0,
      paths: numberIn(row, 'different'),
    })),
    soles.map((row) => ({
      role: requiredText(row, 'role'),
      user: requiredText(row, 'user'),
      path: requiredText(row, 'path'),
      records: numberIn(row, 'records'),
    })),
  )
}

function grantReview({ grant, paths, roles }: RuleUses, written: GrantLine | undefined): GrantReview {
  const { rule, purposes, relationship, actions, view }: Grant = grant
  return {
    rule,
    ...(written !== undefined && { file: written.source.name, line: written.line, sdl: written.sdl }),
    purposes: [...purposes],
    relationship,
    actions: [...actions],
    view,
    roles,
    paths,
  }
}

const LAST_GRANT =
  'Nobody used any grant of this definition, so it is left as it is: without a grant, a field gets the defaults of its type, and a type leaves its fields without one. If nobody needs the field, remove it from the schema or name the one role that does.'
const RETRACTION_GRANT =
  'A retraction takes the whole record, so that each value of it needs a grant of DELETE. Remove all of them together.'
const LAST_CHANGE =
  'The last grant to change of this definition: without it, nobody can create, change or retract its values. Clients that still send its mutations are refused.'
const DEFAULT_GRANT = 'A default of the type: the change affects each of the paths.'

function unusedGrants(schema: GraphQLSchema, uses: ReadonlyMap<string, RuleUses>): readonly UnusedGrant[] {
  const unused = new Map(
    [...uses].map(([rule, { roles }]) => [rule, new Set(roles.flatMap(({ role, used }) => (used ? [] : [role])))]),
  )
  return narrowGrants(schema, unused).map(({ grant, unused: roles, change }) => {
    const { rule, place, source, line, sdl } = grant
    const warning = warningOf(change, place)
    return {
      rule,
      roles,
      file: source.name,
      line,
      sdl,
      ...(change.kind === 'REPLACE' && { narrowed: change.sdl }),
      remove: change.kind === 'REMOVE',
      paths: (uses.get(rule)?.paths ?? []).map(({ path }) => path),
      ...(warning !== undefined && { warning }),
    }
  })
}

function warningOf(change: NarrowedGrant['change'], place: string): string | undefined {
  if (change.kind === 'NONE') return change.because === 'LAST_GRANT' ? LAST_GRANT : RETRACTION_GRANT
  if (change.kind === 'REMOVE' && change.endsChanges) return LAST_CHANGE
  return place.includes('.') ? undefined : DEFAULT_GRANT
}
