import type { SubjectAttributes } from '../access/attribute-loader.ts'
import { recordKey, type RecordRef } from '../model/ids.ts'
import type { OpenRecord } from '../store/record-source.ts'
import { afterOpening, beforeOpening, type Disposition, type Openable, type OpenedRecord } from './record-disposition.ts'
import type { Settled, Wanted } from './record-fetch.ts'
import type { RecordState } from './record-view.ts'
import { type Deciding, subjectOf } from './record-visibility.ts'
import type { OperationRules, Recording, RequestIdentity } from './request-parts.ts'
import type { ReadPart } from './wave-reader.ts'

interface OpenerParts
  extends Pick<RequestIdentity, 'caller'>,
    Pick<OperationRules, 'policy'>,
    Pick<Deciding, 'visibility'>,
    Pick<Recording, 'counter'> {}

const NO_ATTRIBUTES: SubjectAttributes = { relationships: new Set(), consents: undefined }

/** Decides whether a record may be opened, and opens its metadata. Its values stay sealed, and nothing is recorded. */
export class RecordOpener {
  readonly #parts: OpenerParts

  constructor(parts: OpenerParts) {
    this.#parts = parts
  }

  /** @param earlier what the request found of the record before */
  dispositionOf(
    { ref, listed }: Wanted,
    { found, attributes }: Pick<ReadPart, 'found' | 'attributes'>,
    earlier: RecordState | undefined,
  ): Disposition {
    const { caller, policy, visibility } = this.#parts
    const ofPatient = ofSettled(attributes, (byPatient) => byPatient.get(ref.patient) ?? NO_ATTRIBUTES)
    const before = beforeOpening({
      attributes: ofPatient,
      found: ofSettled(found, (records) => records.get(recordKey(ref))),
      visibility: visibility.verdictFor(ref, listed, 'value' in ofPatient ? ofPatient.value : NO_ATTRIBUTES),
      seesExistence: caller.seesExistence,
      listed,
      earlierVersion: earlier?.version,
      cannotExist: policy.records.get(ref.type)?.patient === 'id' && (ref.id as string) !== ref.patient,
    })
    return before.kind === 'OPENABLE' ? afterOpening(before, this.#open(ref, before, earlier)) : before
  }

  #open(
    ref: RecordRef,
    { record: found, attributes }: Openable,
    earlier: RecordState | undefined,
  ): OpenedRecord | { readonly failure: unknown } {
    const { visibility, counter } = this.#parts
    let record: OpenRecord
    try {
      record = found.open(counter)
    } catch (failure) {
      return { failure }
    }
    const own = visibility.byRecord(ref.type, record.metadata)
    const facts = earlier?.facts ?? visibility.factsOf(attributes, subjectOf(ref, record.metadata), own)
    return { record, own, facts, closure: visibility.closed(ref.type, facts) }
  }
}

const ofSettled = <From, To>(settled: Settled<From>, convert: (value: From) => To): Settled<To> =>
  'failure' in settled ? settled : { value: convert(settled.value) }
