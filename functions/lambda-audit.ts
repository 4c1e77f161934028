import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { type AnswerAboutPatient, isQuestionAboutPatient } from '../gateway/answer-about-patient.ts'
import { corsFrom } from '../gateway/cors-setting.ts'
import { answerEvent } from '../gateway/http/lambda-event.ts'
import { openAuditApi } from '../gateway/open-audit-api.ts'
import { isReviewReminder } from '../gateway/remind-of-access-reviews.ts'
import { operatorEvents } from '../gateway/telemetry/operator-events.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'
import type { SdlSource } from '../directives/parse-sources.ts'
import { auditTypeDefs } from '../schema/clinic.ts'
import { orLastResort } from './last-resort.ts'

/** Time that is left for sending the answer. */
const MARGIN_MS = 500

/** The schema whose accesses the log has, and its lock. */
export interface AuditedSchema {
  readonly typeDefs: readonly SdlSource[]
  readonly lock: string
}

/**
 * `/audit/graphql` of the HTTP API (POST and OPTIONS), the question of the clinical function about one patient, and the daily reminder of
 * access reviews. The forms exclude each other: an event with the member `kind` is never taken for a request.
 */
export type AuditHandler = (
  event: APIGatewayProxyEventV2 | Readonly<Record<string, unknown>>,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2 | AnswerAboutPatient | undefined>

/**
 * Creates the function that answers auditors. The schema of its API is fixed, and the roles of its callers are those of the audited schema.
 * Call it once, when the module loads. The function keeps no state of a request, because the next request belongs to another caller.
 *
 * @throws ZodError for a missing variable; PolicyFaults, SchemaRefused for a fault of the schema
 */
export async function lambdaAudit({ typeDefs, lock }: AuditedSchema): Promise<AuditHandler> {
  const events = operatorEvents({ stage: process.env['PHI_STAGE'] ?? '', now: Date.now })
  reportProcessFaults(process, events)
  const cors = corsFrom(process.env)
  const api = openAuditApi(process.env, { audit: auditTypeDefs(), clinical: typeDefs, lock }, { events })
  await api.prefetch()
  return async (event, context) => {
    const at = Date.now() + Math.max(0, context.getRemainingTimeInMillis() - MARGIN_MS)
    if (isReviewReminder(event)) {
      await api.remindOfAccessReviews(at)
      return undefined
    }
    if (isQuestionAboutPatient(event)) return await api.answerAboutPatient(event, at)
    // safe: API Gateway sends the other events, and a malformed one ends in the last resort
    const answer = async () =>
      await answerEvent((request) => api.handle(request), event as APIGatewayProxyEventV2, context, Date.now())
    return await orLastResort(answer, event, { events, cors })
  }
}
