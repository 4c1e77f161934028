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

/** A grant as the API gives it, type `BreakGlassGrant`. */
export interface GrantPayload {
  readonly id: string
  readonly patientId: string
  /** RFC 3339. */
  readonly since: string
  readonly until: string
  readonly endedAt: string | null
}

/** A text that is opened when it is asked for: graphql calls it, and does not where nobody selects it. */
type Opened = (args: unknown, context: unknown, info: GraphQLResolveInfo) => string | null

/** The same to who reviews it. */
interface ReviewPayload extends GrantPayload {
  readonly userId: string
  readonly reason: Opened
  readonly reviewed: boolean
  readonly finding: string | null
  readonly reviewedBy: string | null
  readonly reviewedAt: string | null
  readonly note: Opened
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

/** Each opening of what somebody wrote is recorded, once a request. */
export function reviewPayload(parts: PayloadParts, grant: ReviewedGrant): ReviewPayload {
  const { recorder, failures, errors } = parts
  const { review } = grant
  const opening = (field: 'reason' | 'note', open: (() => string) | undefined): Opened => {
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
    reason: opening('reason', grant.reason),
    reviewed: review !== undefined && review.finding !== 'FOLLOW_UP',
    finding: review?.finding ?? null,
    reviewedBy: review?.by ?? null,
    reviewedAt: review === undefined ? null : new Date(review.at).toISOString(),
    note: opening('note', review?.note),
  }
}
