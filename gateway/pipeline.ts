import type { EffectiveSubject } from './access/effective-subject.ts'
import type { DisclosureCounter } from './disclosure/disclosure-counter.ts'
import type { Execution } from './execution.ts'
import type { GraphQLRequest } from './http/graphql-request.ts'
import type { answerType, HttpRequest, HttpResponse } from './http/messages.ts'
import type { Deadline } from './model/deadline.ts'
import type { Caller } from './model/decision.ts'
import type { FailureDetail } from './model/failure-detail.ts'
import type { FailureCode } from './model/failures.ts'
import type { RequestId } from './model/ids.ts'
import type { SelectedOperation } from './operations/persisted/operation-selector.ts'

// The states of a request and the list of stages between them. Each stage takes the state that the stage before it returns, so
// a list that omits a stage does not compile.

/** The counts of one operation that operators see. */
export type ValueCounts = Omit<DisclosureCounter, 'fields'>
export const NO_VALUES: ValueCounts = { resolved: 0, denied: 0, unavailable: 0, metadata: 0, searched: 0 }

export interface Arrived {
  readonly request: HttpRequest
  readonly requestId: RequestId
  readonly deadline: Deadline
  /** Set when the operation's scope opens. The REQUEST event reports the counts even if the request ends during execution. */
  readonly counted: { values: ValueCounts }
}

export interface Identified extends Arrived {
  readonly caller: Caller
}

export interface Admitted extends Identified {
  /** NOT_KEPT: the deployment keeps no sessions, so the token decides by itself. */
  readonly session: 'ADMITTED' | 'NOT_KEPT'
}

export interface Negotiated extends Admitted {
  /** Media type of the response. */
  readonly responseType: NonNullable<ReturnType<typeof answerType>>
}

export interface Parsed extends Negotiated {
  readonly body: GraphQLRequest
}

/** The caller is narrowed to the contract of its client. */
export interface Selected extends Parsed {
  readonly operation: Omit<SelectedOperation, 'caller'>
}

export interface Resolved extends Selected {
  readonly subject: EffectiveSubject
}

export interface Executed extends Resolved {
  readonly execution: Execution
}

export interface Refusal {
  readonly refused: FailureCode
  /** HTTP status; left out, that of the code. */
  readonly status?: number
  readonly detail?: FailureDetail | undefined
}

/** Returns the next state, or refuses the request. A thrown Failure refuses it too. */
export type Stage<Before, After> = (state: Before) => After | Refusal | Promise<After | Refusal>

/**
 * The stages of a request, in their order. Only the credentials are read before the session is checked, and no value is opened
 * before the operation and the subject are known.
 */
export type Stages = readonly [
  identify: Stage<Arrived, Identified>,
  admitSession: Stage<Identified, Admitted>,
  negotiate: Stage<Admitted, Negotiated>,
  parse: Stage<Negotiated, Parsed>,
  selectOperation: Stage<Parsed, Selected>,
  resolveSubject: Stage<Selected, Resolved>,
  execute: Stage<Resolved, Executed>,
  settle: Stage<Executed, HttpResponse>,
]

/**
 * Runs the stages one after another. The first refusal ends the list.
 *
 * @throws the error of a stage, which ends the list too
 */
export async function runStages(stages: Stages, arrived: Arrived): Promise<HttpResponse | Refusal> {
  let state: object = arrived
  for (const stage of stages) {
    // safe: the type of the list ties each stage to the one before it
    const next = await (stage as Stage<object, object>)(state)
    if (isRefusal(next)) return next
    state = next
  }
  return state as HttpResponse
}

export const isRefusal = (end: object): end is Refusal => 'refused' in end
