import type { GraphQLResolveInfo } from 'graphql'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import { BadUserInput, Erased, FilterTooBroad, OperationTooCostly } from '../model/failures.ts'
import { recordKey, type RecordRef } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { FailureReasons } from './failure-reasons.ts'
import type { RecordLoader } from './record-loader.ts'
import { type RecordView, whereOf } from './record-view.ts'
import type { Recording } from './request-parts.ts'
import type { ResponseErrors } from './response-errors.ts'

type Place = GraphQLResolveInfo['path']
type Arguments = Readonly<Record<string, unknown>>

/** A question that a patient, or a person who acts for the patient, asks about the use of the record. */
export interface OwnRecordQuestion<Asked extends { readonly bound: Json }, Answer> {
  /** The root of the schema. */
  readonly coordinate: Coordinate
  /** @throws BadUserInput for arguments that no patient makes valid */
  argumentsOf(args: Arguments): Asked
  /**
   * @returns DENIED if the caller is neither the patient nor acts for the patient
   * @throws BadUserInput, OperationTooCostly; StoreUnavailable, KeyUnavailable, IntegrityFailure, Erased
   */
  answer(patient: RecordView, asked: Asked): Promise<Answer | 'DENIED'>
  /** The number of rows of an answer, for the log. */
  countOf(answer: Answer): number
}

interface QuestionParts extends Pick<Recording, 'trail'> {
  readonly loader: RecordLoader
  readonly counter: DisclosureCounter
  readonly errors: ResponseErrors
  readonly failures: FailureReasons
}

/** The questions of one request: each finds the patient, is answered, and leaves the record of the question. */
export class OwnRecordQuestions {
  readonly #parts: QuestionParts
  #isAsked = false

  constructor(parts: QuestionParts) {
    this.#parts = parts
  }

  /**
   * Answers one question in a request: aliases must not multiply its reads.
   *
   * @param patientOf the place of a patient by the id of a client; an empty place for an id that leads nowhere
   * @throws BadUserInput, OperationTooCostly
   */
  async answer<Asked extends { readonly bound: Json }, Answer>(
    question: OwnRecordQuestion<Asked, Answer>,
    args: Arguments,
    patientOf: (id: string) => RecordRef,
    place: Place,
  ): Promise<Answer | null> {
    const { loader, counter, errors } = this.#parts
    const asked = question.argumentsOf(args)
    if (this.#isAsked)
      throw new OperationTooCostly({
        detail: 'An operation asks one question about the own record at most. Send the other questions in requests of their own.',
      })
    this.#isAsked = true
    const ref = patientOf(String(args['patientId']))
    // the patient is found, hidden or unavailable as for any read of the record, at the same cost (P5)
    const loaded = await loader.load(ref, new Set(), { byId: true })
    if (loaded.kind === 'UNAVAILABLE') errors.unavailable(question.coordinate, recordKey(ref), place)
    else if (loaded.kind === 'FOUND') return await this.#answerOf(question, loaded.record, asked, place)
    else {
      if (loaded.kind === 'CLOSED') counter.denied++
      errors.notFound(place, recordKey(ref))
    }
    return null
  }

  async #answerOf<Asked extends { readonly bound: Json }, Answer>(
    question: OwnRecordQuestion<Asked, Answer>,
    record: RecordView,
    asked: Asked,
    place: Place,
  ): Promise<Answer | null> {
    const { trail, counter, errors, failures } = this.#parts
    const { coordinate } = question
    const at = {
      ...whereOf(record),
      path: coordinate as string as SchemaPath,
      action: 'READ',
      filter: JSON.stringify(asked.bound),
    } as const
    try {
      // the record of an erased patient shows no labels, so that no access can be checked
      if (record.version === 0) throw new Erased()
      const answer = await question.answer(record, asked)
      if (answer === 'DENIED') {
        const denial = { outcome: 'DENIED', reason: 'RELATIONSHIP', breakGlass: false } as const
        counter.denied++
        trail.record({ ...at, outcome: 'DENIED', reason: denial.reason })
        errors.record(coordinate, record.key, { outcome: 'DENIED', denial }, place)
        return null
      }
      trail.record({ ...at, outcome: 'DISCLOSED', count: question.countOf(answer) })
      return answer
    } catch (error) {
      if (error instanceof BadUserInput || error instanceof OperationTooCostly) throw error
      if (error instanceof FilterTooBroad)
        throw new OperationTooCostly({ detail: 'The span has too many accesses. Choose a shorter span.' })
      if (error instanceof Erased) {
        trail.record({ ...at, outcome: 'ERASED' })
        errors.record(coordinate, record.key, { outcome: 'ERASED' }, place)
        return null
      }
      const reason = failures.classify(error, record.ref)
      counter.unavailable++
      trail.record({ ...at, outcome: 'UNAVAILABLE', reason })
      errors.unavailable(coordinate, record.key, place)
      return null
    }
  }
}
