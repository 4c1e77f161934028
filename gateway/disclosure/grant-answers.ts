import type { GraphQLResolveInfo } from 'graphql'
import type { EmergencyGrant, ReviewedGrant } from '../access/break-glass-port.ts'
import { Failure } from '../model/failures.ts'
import type { RecordId, SchemaPath, TypeName } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { AccessNotes } from './access-recorder.ts'
import type { FailureReasons } from './failure-reasons.ts'
import type { PublicIds } from '../access/public-ids.ts'
import type { Refusals } from './response-errors.ts'

export const GRANT = 'BreakGlassGrant' as TypeName

/** A grant as the API gives it, type `BreakGlassGrant`. */
export interface GrantAnswer {
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
interface ReviewAnswer extends GrantAnswer {
  readonly userId: string
  readonly reason: Opened
  readonly reviewed: boolean
  readonly finding: string | null
  readonly reviewedBy: string | null
  readonly reviewedAt: string | null
  readonly note: Opened
}

interface AnswerParts {
  readonly policy: PolicyTable
  readonly ids: PublicIds
  readonly notes: AccessNotes
  readonly failures: FailureReasons
  readonly refusals: Refusals
}

export function grantAnswer(
  { policy, ids }: Pick<AnswerParts, 'policy' | 'ids'>,
  { id, patient, since, until, ended }: EmergencyGrant,
): GrantAnswer {
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
export function reviewAnswer(parts: AnswerParts, grant: ReviewedGrant): ReviewAnswer {
  const { notes, failures, refusals } = parts
  const { review } = grant
  const opening = (field: 'reason' | 'note', open: (() => string) | undefined): Opened => {
    const path = `${GRANT}.${field}` as SchemaPath
    const at = { patient: grant.patient, recordType: GRANT, recordId: grant.id, path, action: 'READ' } as const
    return (_args, _context, info) => {
      if (open === undefined) return null
      try {
        const text = open()
        notes.once(`${path} ${grant.id}`, { ...at, outcome: 'DISCLOSED' })
        return text
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        notes.once(`${path} ${grant.id}`, { ...at, outcome: 'UNAVAILABLE', reason: failures.of(error) })
        refusals.unavailable(path, grant.id, info.path)
        return null
      }
    }
  }
  return {
    ...grantAnswer(parts, grant),
    userId: grant.user,
    reason: opening('reason', grant.reason),
    reviewed: review !== undefined && review.finding !== 'FOLLOW_UP',
    finding: review?.finding ?? null,
    reviewedBy: review?.by ?? null,
    reviewedAt: review === undefined ? null : new Date(review.at).toISOString(),
    note: opening('note', review?.note),
  }
}
