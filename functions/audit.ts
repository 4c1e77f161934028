import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { type AnswerAboutPatient, isQuestionAboutPatient } from '../gateway/answer-about-patient.ts'
import { corsFrom } from '../gateway/cors-setting.ts'
import { answerEvent } from '../gateway/http/lambda-event.ts'
import { openAuditApi } from '../gateway/open-audit-api.ts'
import { isReviewReminder } from '../gateway/remind-of-access-reviews.ts'
import { operatorEvents } from '../gateway/telemetry/operator-events.ts'
import { reportProcessFaults } from '../gateway/telemetry/process-faults.ts'
import { auditTypeDefs, clinicLock, clinicTypeDefs } from '../schema/clinic.ts'
import { orLastResort } from './last-resort.ts'

// Created once when the function starts. No request state is kept here: the next request belongs to another caller.
const events = operatorEvents({ stage: process.env['PHI_STAGE'] ?? '', now: Date.now })
reportProcessFaults(process, events)
const cors = corsFrom(process.env)
const schemas = { audit: auditTypeDefs(), clinical: clinicTypeDefs(), lock: clinicLock() }
const api = openAuditApi(process.env, schemas, { events })
await api.prefetch()

/** Time that is left for sending the answer. */
const MARGIN_MS = 500

/**
 * `/audit/graphql` of the HTTP API (POST and OPTIONS), the question of the clinical function about one patient, and the daily reminder of access reviews.
 * The forms exclude each other: an event with the member `kind` is never taken for a request.
 */
export async function handler(
  event: APIGatewayProxyEventV2 | Readonly<Record<string, unknown>>,
  context: Context,
): Promise<APIGatewayProxyStructuredResultV2 | AnswerAboutPatient | undefined> {
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
