import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda'
import type * as z from 'zod'
import {
  type LogPosition,
  MAX_ANSWER_BYTES,
  PATIENT_ACCESSES,
  PatientAccessesAnswer,
  type PatientAccessesQuestion,
} from '../audit/patient-accesses.ts'
import { PATIENT_DISCLOSURES, PatientDisclosuresAnswer, type PatientDisclosuresQuestion } from '../audit/patient-disclosures.ts'
import type { Deadline } from '../model/deadline.ts'
import { FilterTooBroad, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type {
  PatientAccessPage,
  PatientAccessQuestion,
  PatientAccessSource,
  PatientDisclosurePage,
  PatientDisclosureQuestion,
} from './patient-access-source.ts'

/** Without its message and cause: an answer can quote the log. */
class AnswerRefused extends Error {
  override readonly name = 'AnswerRefused'
}

/** Asks the audit function, which reads the log and answers for this one patient. */
export class PatientAccessFunction implements PatientAccessSource {
  readonly #client: Pick<LambdaClient, 'send'>
  readonly #name: string

  /** @param name the name or ARN of the function */
  constructor(client: Pick<LambdaClient, 'send'>, name: string) {
    this.#client = client
    this.#name = name
  }

  async accesses(question: PatientAccessQuestion, deadline: Deadline): Promise<PatientAccessPage> {
    const answer = await this.#ask({ kind: PATIENT_ACCESSES, ...question }, PatientAccessesAnswer, deadline)
    if (answer.kind === 'REFUSED') throw refused()
    return checked(question, answer)
  }

  async disclosures(question: PatientDisclosureQuestion, deadline: Deadline): Promise<PatientDisclosurePage> {
    const answer = await this.#ask({ kind: PATIENT_DISCLOSURES, ...question }, PatientDisclosuresAnswer, deadline)
    if (answer.kind !== 'REFUSED') return checkedDisclosures(question, answer)
    throw answer.code === 'TOO_LARGE' ? new FilterTooBroad(['from', 'to']) : refused()
  }

  /** @throws StoreUnavailable */
  async #ask<Answer>(
    question: PatientAccessesQuestion | PatientDisclosuresQuestion,
    form: z.ZodType<Answer>,
    deadline: Deadline,
  ): Promise<Answer> {
    const payload = await deadline.wait(() => this.#invoke(question, deadline.signal), storeOverdue)
    return parsed(payload, form)
  }

  async #invoke(question: object, abortSignal: AbortSignal): Promise<Uint8Array> {
    const command = new InvokeCommand({
      FunctionName: this.#name,
      InvocationType: 'RequestResponse',
      LogType: 'None',
      Payload: Buffer.from(JSON.stringify(question)),
    })
    try {
      const { StatusCode, FunctionError, Payload } = await this.#client.send(command, { abortSignal })
      // an error of the function is in the payload, with its stack
      if (StatusCode !== 200 || FunctionError !== undefined || Payload === undefined) throw new AnswerRefused()
      return Payload
    } catch (cause) {
      throw new StoreUnavailable({ cause })
    }
  }
}

/** @throws StoreUnavailable */
function parsed<Answer>(payload: Uint8Array, form: z.ZodType<Answer>): Answer {
  if (payload.length > MAX_ANSWER_BYTES) throw refused()
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(payload).toString('utf8'))
  } catch {
    throw refused()
  }
  const answer = form.safeParse(json)
  if (!answer.success) throw refused()
  return answer.data
}

/** @throws StoreUnavailable for an answer with anything that was not asked for */
function checked(
  { tenant, patient, from, to, limit, after }: PatientAccessQuestion,
  { accesses, next }: Extract<PatientAccessesAnswer, { readonly kind: typeof PATIENT_ACCESSES }>,
): PatientAccessPage {
  let latest = Math.min(to, after?.time ?? to)
  for (const access of accesses) {
    const at = Date.parse(access.time)
    if (access.tenant !== tenant || access.patient !== patient || at < from || at > latest) throw refused()
    latest = at
  }
  if (accesses.length > limit || (next !== undefined && (next.time > latest || isSame(next, after)))) throw refused()
  return { accesses, ...(next !== undefined && { next }) }
}

/** @throws StoreUnavailable for an answer with anything that was not asked for */
function checkedDisclosures(question: PatientDisclosureQuestion, answer: PatientDisclosurePage): PatientDisclosurePage {
  const { tenant, patient, from, to, after, entered: isAsked } = question
  const { terms, disclosures, entered, protocols, next } = answer
  const latest = Math.min(to, after?.time ?? to)
  const isInSpan = disclosures.every(
    ({ terms: place, values }) => place < terms.length && values.every(({ at }) => at >= from && at <= latest),
  )
  const isOwn = answer.tenant === tenant && answer.patient === patient
  // a list that names a protocol without its text would have neither
  const named = new Set(protocols.map(({ protocol }) => protocol.protocol))
  const isComplete = [...terms, ...entered].every(({ insteadOf }) => insteadOf === undefined || named.has(insteadOf))
  const isContinued = next === undefined || (next.time <= latest && next.time >= from && !isSame(next, after))
  const isEntered =
    entered.length === 0 || (isAsked && entered.every(({ at, repeated }) => at <= to && (repeated?.last ?? at) >= from))
  if (!isOwn || !isInSpan || !isComplete || !isContinued || !isEntered) throw refused()
  return answer
}

/** An answer that ends where it began would be asked for again and again. */
const isSame = (one: LogPosition, other: LogPosition | undefined): boolean =>
  other !== undefined &&
  one.time === other.time &&
  one.lane === other.lane &&
  one.sequence === other.sequence &&
  one.index === other.index

const refused = (): StoreUnavailable => new StoreUnavailable({ cause: new AnswerRefused() })
