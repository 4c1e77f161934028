import type { GraphQLResolveInfo } from 'graphql'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { BadUserInput, Erased, OperationTooCostly } from '../model/failures.ts'
import { recordKey, type RecordRef } from '../model/ids.ts'
import type { DisclosureCounter } from './disclosure-counter.ts'
import type { FailureReasons } from './failure-reasons.ts'
import { type AccessConnection, type PatientAccesses, WHO_SAW, type WhoSawArguments } from './patient-accesses.ts'
import type { RecordLoader } from './record-loader.ts'
import { type RecordView, whereOf } from './record-view.ts'
import type { Recording } from './request-parts.ts'
import type { ResponseErrors } from './response-errors.ts'

type Place = GraphQLResolveInfo['path']

interface WhoSawParts extends Pick<Recording, 'trail'> {
  readonly accesses: PatientAccesses
  readonly loader: RecordLoader
  readonly counter: DisclosureCounter
  readonly errors: ResponseErrors
  readonly failures: FailureReasons
}

/** The root `whoSawMyRecord` of one request: it finds the patient, answers, and leaves the record of the question. */
export class WhoSawMyRecord {
  readonly #parts: WhoSawParts
  #isAsked = false

  constructor(parts: WhoSawParts) {
    this.#parts = parts
  }

  /**
   * The accesses to the record of a patient. One question in a request: aliases must not multiply its reads.
   *
   * @param patientOf the place of a patient by the id of a client; an empty place for an id that leads nowhere
   * @throws BadUserInput, OperationTooCostly
   */
  async answer(
    args: Readonly<Record<string, unknown>>,
    patientOf: (id: string) => RecordRef,
    place: Place,
  ): Promise<AccessConnection | null> {
    const { accesses, loader, counter, errors } = this.#parts
    const asked = accesses.argumentsOf(args)
    if (this.#isAsked) throw new OperationTooCostly()
    this.#isAsked = true
    const ref = patientOf(String(args['patientId']))
    // the patient is found, hidden or unavailable as for any read of the record, at the same cost (P5)
    const loaded = await loader.load(ref, new Set(), { byId: true })
    if (loaded.kind === 'UNAVAILABLE') errors.unavailable(WHO_SAW, recordKey(ref), place)
    else if (loaded.kind === 'FOUND') return await this.#accessesOf(loaded.record, asked, place)
    else {
      if (loaded.kind === 'CLOSED') counter.denied++
      errors.notFound(place, recordKey(ref))
    }
    return null
  }

  async #accessesOf(record: RecordView, asked: WhoSawArguments, place: Place): Promise<AccessConnection | null> {
    const { accesses, trail, counter, errors, failures } = this.#parts
    const at = {
      ...whereOf(record),
      path: WHO_SAW as string as SchemaPath,
      action: 'READ',
      filter: JSON.stringify(asked.bound),
    } as const
    try {
      // the record of an erased patient shows no labels, so that no access can be checked
      if (record.version === 0) throw new Erased()
      const page = await accesses.page(record, asked)
      if (page === 'DENIED') {
        const denial = { outcome: 'DENIED', reason: 'RELATIONSHIP', breakGlass: false } as const
        counter.denied++
        trail.record({ ...at, outcome: 'DENIED', reason: denial.reason })
        errors.record(WHO_SAW, record.key, { outcome: 'DENIED', denial }, place)
        return null
      }
      trail.record({ ...at, outcome: 'DISCLOSED', count: page.edges.length })
      return page
    } catch (error) {
      if (error instanceof BadUserInput) throw error
      if (error instanceof Erased) {
        trail.record({ ...at, outcome: 'ERASED' })
        errors.record(WHO_SAW, record.key, { outcome: 'ERASED' }, place)
        return null
      }
      const reason = failures.classify(error, record.ref)
      counter.unavailable++
      trail.record({ ...at, outcome: 'UNAVAILABLE', reason })
      errors.unavailable(WHO_SAW, record.key, place)
      return null
    }
  }
}
