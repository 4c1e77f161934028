import type { GraphQLResolveInfo } from 'graphql'
import type { BreakGlassGrant, ReviewedGrant } from '../access/break-glass-port.ts'
import { Failure } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { RecordId } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { AccessRecorder } from '../disclosure/access-recorder.ts'
import type { FailureReasons } from '../disclosure/failure-reasons.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { ResponseErrors } from '../disclosure/response-errors.ts'

export const GRANT = 'BreakGlassGrant' as TypeName

/** A grant in the API, type `BreakGlassGrant`. */
export interface GrantPayload {
  readonly id: string
  readonly patientId: string
  /** RFC 3339. */
  readonly since: string
  readonly until: string
  readonly endedAt: string | null
}

/** A resolver that opens a sealed text. graphql calls it only if the query selects the field. */
type TextResolver = (args: unknown, context: unknown, info: GraphQLResolveInfo) => string | null

/** A grant in the API with the fields for its reviewer. */
interface ReviewPayload extends GrantPayload {
  readonly userId: string
  readonly reason: TextResolver
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
}

export function grantPayload(
  { policy, ids }: Pick<PayloadParts, 'policy' | 'ids'>,
  { id, patient, since, until, ended }: BreakGlassGrant,
): GrantPayload {
  const type = [...policy.records.values()].find((record) => record.patient === 'id')?.type ?? ('' as TypeName)
  return {
    id: ids.encode({ type: GRANT, patient, id: id as RecordId }),
    patientId: ids.encode({ type, patient, id: patient as string as RecordId }),
    since: new Date(since).toISOString(),
    until: new Date(until).toISOString(),
    endedAt: ended === undefined ? null : new Date(ended).toISOString(),
  }
}

/** Records each opened text once for each request. */
export function reviewPayload(parts: PayloadParts, grant: ReviewedGrant): ReviewPayload {
  const { recorder, failures, errors } = parts
  const { review } = grant
  const resolverOf = (field: 'reason' | 'note', open: (() => string) | undefined): TextResolver => {
    const path = `${GRANT}.${field}` as SchemaPath
    const at = { patient: grant.patient, recordType: GRANT, recordId: grant.id, path, action: 'READ' } as const
    return (_args, _context, info) => {
      if (open === undefined) return null
      try {
        const text = open()
        recorder.recordOnce(`${path} ${grant.id}`, { ...at, outcome: 'DISCLOSED' })
        return text
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        recorder.recordOnce(`${path} ${grant.id}`, { ...at, outcome: 'UNAVAILABLE', reason: failures.classify(error) })
        errors.unavailable(path, grant.id, info.path)
        return null
      }
    }
  }
  return {
    ...grantPayload(parts, grant),
    userId: grant.user,
    reason: resolverOf('reason', grant.reason),
    reviewed: review !== undefined && review.finding !== 'FOLLOW_UP',
    finding: review?.finding ?? null,
    reviewedBy: review?.by ?? null,
    reviewedAt: review === undefined ? null : new Date(review.at).toISOString(),
    note: resolverOf('note', review?.note),
  }
}
