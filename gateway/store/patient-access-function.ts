import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda'
import {
  type LogPosition,
  MAX_ANSWER_BYTES,
  PATIENT_ACCESSES,
  PatientAccessesAnswer,
  type PatientAccessesQuestion,
} from '../audit/patient-accesses.ts'
import type { Deadline } from '../model/deadline.ts'
import { storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { PatientAccessPage, PatientAccessQuestion, PatientAccessSource } from './patient-access-source.ts'

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
    const asked: PatientAccessesQuestion = { kind: PATIENT_ACCESSES, ...question }
    const payload = await deadline.wait(() => this.#invoke(asked, deadline.signal), storeOverdue)
    const answer = parsed(payload)
    if (answer.kind === 'REFUSED') throw refused()
    return checked(question, answer)
  }

  async #invoke(question: PatientAccessesQuestion, abortSignal: AbortSignal): Promise<Uint8Array> {
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
function parsed(payload: Uint8Array): PatientAccessesAnswer {
  if (payload.length > MAX_ANSWER_BYTES) throw refused()
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(payload).toString('utf8'))
  } catch {
    throw refused()
  }
  const answer = PatientAccessesAnswer.safeParse(json)
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

/** An answer that ends where it began would be asked for again and again. */
const isSame = (one: LogPosition, other: LogPosition | undefined): boolean =>
  other !== undefined &&
  one.time === other.time &&
  one.lane === other.lane &&
  one.sequence === other.sequence &&
  one.index === other.index

const refused = (): StoreUnavailable => new StoreUnavailable({ cause: new AnswerRefused() })
