import { randomBytes } from 'node:crypto'
import { entryOf, refusal } from './answer.ts'
import { newRequestId } from './audit/request-id.ts'
import type { BrowserParts, CallerParts, ProcessParts } from './gateway-parts.ts'
import { answerPreflight, withCors } from './http/cors.ts'
import type { HttpRequest, HttpResponse } from './http/messages.ts'
import type { CredentialFault } from './model/credential-fault.ts'
import { Deadline } from './model/deadline.ts'
import type { FailureDetail } from './model/failure-detail.ts'
import { errorText } from './model/failure-messages.ts'
import { AuditUnavailable, Failure, MfaRequired, SessionExpired, Unauthenticated } from './model/failures.ts'
import { type Arrived, isRefusal, NO_VALUES, type Refusal } from './pipeline.ts'
import { internalFault } from './telemetry/internal-fault.ts'

/** What all endpoints have in common. */
export type HandlingParts = Pick<CallerParts, 'authFailures'> & BrowserParts & Required<ProcessParts>

/** One endpoint. */
export interface Endpoint {
  /** The time for a request that comes without a deadline, in milliseconds. */
  readonly requestMs: number
  /** The methods of its routes, without OPTIONS. */
  readonly methods: readonly string[]
  /** Whether the method is one that the endpoint answers. Any other is 405. */
  readonly isAnswered: (request: HttpRequest) => boolean
  /** The methods that the endpoint answers, as a sentence. */
  readonly methodsDetail: FailureDetail
  /** @throws Failure, which refuses the request */
  readonly run: (arrived: Arrived) => Promise<HttpResponse | Refusal>
}

/**
 * Answers any request of an endpoint; never throws. Failed authentications are counted, and each request leaves an event. OPTIONS does
 * no work: it names no caller, and leaves no event and no record.
 */
export async function handleRequest(request: HttpRequest, endpoint: Endpoint, parts: HandlingParts): Promise<HttpResponse> {
  const { audit, authFailures, cors, events, now } = parts
  if (request.method === 'OPTIONS') return answerPreflight(request, endpoint.methods, cors)
  const started = now()
  const requestId = newRequestId(audit.process, started, randomBytes)
  const deadline = new Deadline(request.deadline ?? started + endpoint.requestMs, { now, monotonic: () => performance.now() })
  const counted: Arrived['counted'] = { values: NO_VALUES }
  // flush the counters of earlier requests in the background; only a 401 waits for the flush
  authFailures?.startFlush(deadline)
  const response = await respond({ request, requestId, deadline, counted }, endpoint, parts)
  const { status } = response
  if (status === 401) await authFailures?.flush(deadline)
  const { resolved, denied, unavailable } = status === 200 ? counted.values : NO_VALUES
  // a withheld response discloses no value, but what it opened for its own use was opened
  const { metadata, searched } = counted.values
  const milliseconds = now() - started
  events({ event: 'REQUEST', requestId, status, milliseconds, resolved, denied, unavailable, metadata, searched })
  return withCors(response, request.headers, cors)
}

async function respond(
  arrived: Arrived,
  { isAnswered, methodsDetail, run }: Endpoint,
  { authFailures, events, detailedErrors }: HandlingParts,
): Promise<HttpResponse> {
  const { request, requestId, deadline } = arrived
  const text = errorText(detailedErrors)
  if (!isAnswered(request)) return refusal(requestId, request, entryOf('BAD_REQUEST', text, methodsDetail), 405)
  try {
    // Every service has a share of the time. If a stage hangs all the same, the request ends here without data: its accesses
    // may not be recorded.
    const end = await deadline.wait(
      () => run(arrived),
      () => new AuditUnavailable(),
    )
    return isRefusal(end) ? refusal(requestId, request, entryOf(end.refused, text, end.detail), end.status) : end
  } catch (error) {
    const fault = credentialFault(error)
    if (fault !== undefined) authFailures?.count(request.sourceIp, fault)
    if (error instanceof Failure) return refusal(requestId, request, entryOf(error.code, text, error.detail))
    events(internalFault(requestId, error))
    return refusal(requestId, request, entryOf('INTERNAL', text))
  }
}

/** The fault of a request that failed authentication or its session check; undefined for any other error. */
function credentialFault(error: unknown): CredentialFault | undefined {
  if (error instanceof Unauthenticated) return error.fault
  if (error instanceof MfaRequired) return 'MFA_MISSING'
  return error instanceof SessionExpired ? 'SESSION_EXPIRED' : undefined
}
