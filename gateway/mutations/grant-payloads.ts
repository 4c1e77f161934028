import type { GraphQLResolveInfo } from 'graphql'
import type { BreakGlassGrant, Renewal, ReviewedGrant } from '../access/break-glass-port.ts'
import type { Deadline } from '../model/deadline.ts'
import { pageDetail } from '../model/limit-details.ts'
import { BadUserInput, Failure, storeOverdue } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { RecordId } from '../model/ids.ts'
import { MAX_PAGE } from '../model/list.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { AccessRecorder } from '../disclosure/access-recorder.ts'
import type { FailureReasons } from '../disclosure/failure-reasons.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { ResponseErrors } from '../disclosure/response-errors.ts'

export const GRANT = 'BreakGlassGrant' as TypeName
const RENEWAL = 'BreakGlassRenewal'

/** A grant in the API, type `BreakGlassGrant`. */
export interface GrantPayload {
  readonly id: string
  readonly patientId: string
  /** RFC 3339. */
  readonly since: string
  readonly until: string
  readonly renewalCount: number
  readonly endedAt: string | null
}

/** A resolver that opens a sealed text. graphql calls it only if the query selects the field. */
type TextResolver = (args: unknown, context: unknown, info: GraphQLResolveInfo) => string | null

/** A renewal in the API, type `BreakGlassRenewal`. */
interface RenewalPayload {
  /** RFC 3339. */
  readonly at: string
  readonly until: string
  readonly reason: TextResolver
}

/** A resolver that reads renewals. graphql calls it only if the query selects the field. */
type RenewalsResolver = (
  args: Readonly<Record<string, unknown>>,
  context: unknown,
  info: GraphQLResolveInfo,
) => Promise<readonly RenewalPayload[] | null>

/** A grant in the API with the fields for its reviewer. */
interface ReviewPayload extends GrantPayload {
  readonly userId: string
  readonly reason: TextResolver
  readonly renewals: RenewalsResolver
  readonly reviewed: boolean
  readonly finding: string | null
  readonly reviewedBy: string | null
  readonly reviewedAt: string | null
  readonly note: TextResolver
}

interface PayloadParts {
  readonly policy: PolicyTable
  readonly ids: PublicIds
  readonly recorder: AccessRecorder
  readonly failures: FailureReasons
  readonly errors: ResponseErrors
  readonly deadline: Deadline
}

export function grantPayload(
  { policy, ids }: Pick<PayloadParts, 'policy' | 'ids'>,
  { id, patient, since, until, renewalCount, ended }: BreakGlassGrant,
): GrantPayload {
  const type = [...policy.records.values()].find((record) => record.patient === 'id')?.type ?? ('' as TypeName)
  return {
    id: ids.encode({ type: GRANT, patient, id: id as RecordId }),
    patientId: ids.encode({ type, patient, id: patient as string as RecordId }),
    since: new Date(since).toISOString(),
    until: new Date(until).toISOString(),
    renewalCount,
    endedAt: ended === undefined ? null : new Date(ended).toISOString(),
  }
}

/** Records each opened text once for each request. */
export function reviewPayload(parts: PayloadParts, grant: ReviewedGrant): ReviewPayload {
  const { review } = grant
  return {
    ...grantPayload(parts, grant),
    userId: grant.user,
    reason: textResolver(parts, grant, `${GRANT}.reason`, grant.reason),
    renewals: renewalsResolver(parts, grant),
    reviewed: review !== undefined && review.finding !== 'FOLLOW_UP',
    finding: review?.finding ?? null,
    reviewedBy: review?.by ?? null,
    reviewedAt: review === undefined ? null : new Date(review.at).toISOString(),
    note: textResolver(parts, grant, `${GRANT}.note`, review?.note),
  }
}

/** @param number of the renewal that has the text; 0 for the grant itself */
function textResolver(
  parts: PayloadParts,
  grant: ReviewedGrant,
  coordinate: string,
  open: (() => string) | undefined,
  number = 0,
): TextResolver {
  const { recorder, failures, errors } = parts
  const path = coordinate as SchemaPath
  const at = { patient: grant.patient, recordType: GRANT, recordId: grant.id, path, action: 'READ' } as const
  const name = `${path} ${grant.id} ${number}`
  return (_args, _context, info) => {
    if (open === undefined) return null
    try {
      const text = open()
      recorder.recordOnce(name, { ...at, outcome: 'DISCLOSED' })
      return text
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      recorder.recordOnce(name, { ...at, outcome: 'UNAVAILABLE', reason: failures.classify(error) })
      errors.unavailable(path, grant.id, info.path)
      return null
    }
  }
}

/** Two aliases with the same page are one read. */
function renewalsResolver(parts: PayloadParts, grant: ReviewedGrant): RenewalsResolver {
  const { recorder, failures, errors, deadline } = parts
  const path = `${GRANT}.renewals` as SchemaPath
  const at = { patient: grant.patient, recordType: GRANT, recordId: grant.id, path, action: 'READ' } as const
  const pages = new Map<string, Promise<readonly Renewal[]>>()
  return async ({ first, skip }, _context, info) => {
    if (!isCount(first) || first < 1 || first > MAX_PAGE || !isCount(skip))
      throw new BadUserInput({ detail: () => pageDetail(first, skip) })
    if (grant.renewalCount === 0) return []
    const name = `${first} ${skip}`
    const page = pages.get(name) ?? deadline.wait(() => grant.renewals({ first, skip }, deadline), storeOverdue)
    pages.set(name, page)
    try {
      return (await page).map((renewal) => ({
        at: new Date(renewal.at).toISOString(),
        until: new Date(renewal.until).toISOString(),
        reason: textResolver(parts, grant, `${RENEWAL}.reason`, renewal.reason, renewal.number),
      }))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      recorder.recordOnce(`${path} ${grant.id}`, { ...at, outcome: 'UNAVAILABLE', reason: failures.classify(error) })
      errors.unavailable(path, grant.id, info.path)
      return null
    }
  }
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0
