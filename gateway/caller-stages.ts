import type { Identity } from './access/identity.ts'
import type { Sessions } from './access/sessions.ts'
import { parseBody, parseQueryString } from './http/graphql-request.ts'
import { answerType, refusedByType, typeDetail } from './http/messages.ts'
import { Unauthenticated } from './model/failures.ts'
import type { Admitted, Arrived, Identified, Negotiated, Parsed, Refusal, Stage } from './pipeline.ts'

// The stages that every endpoint begins with: who asks, and for what. They read no record and need no key.

/** Share of the request's time for authentication. */
const IDENTITY_SHARE = 0.25
/** Share of the time left after it, for the session. */
const SESSION_SHARE = 0.2
export const identify =
  (identity: Identity): Stage<Arrived, Identified> =>
  async (state) => {
    const caller = await state.deadline.share(IDENTITY_SHARE).wait(
      () => identity.callerOf(state.request.headers),
      () => new Unauthenticated({ fault: 'KEYS_UNAVAILABLE' }),
    )
    return { ...state, caller }
  }

/** Checks that the session of the token has not ended. */
export const admitSession =
  (sessions: Sessions | undefined): Stage<Identified, Admitted> =>
  async (state) => {
    if (sessions === undefined) return { ...state, session: 'NOT_KEPT' }
    await sessions.admit(state.caller, state.requestId, state.deadline.share(SESSION_SHARE))
    return { ...state, session: 'ADMITTED' }
  }

/** Refuses media types before execution: a value in an answer that the client cannot read would be opened and recorded in vain. */
export function negotiate(state: Admitted): Negotiated | Refusal {
  const { headers, method } = state.request
  const responseType = answerType(headers)
  const status = refusedByType(headers, method)
  if (responseType !== undefined && status === undefined) return { ...state, responseType }
  const refusedStatus = status ?? 406
  return { refused: 'BAD_REQUEST', status: refusedStatus, detail: () => typeDetail(headers, refusedStatus, method) }
}

export function parse(state: Negotiated): Parsed {
  const { method, body, queryString = '' } = state.request
  return { ...state, body: method === 'GET' ? parseQueryString(queryString) : parseBody(body) }
}
