import { Erased } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { RecordId, RecordRef } from '../model/ids.ts'
import type { Facts } from '../model/decision.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import type { PathOutcome } from './path-outcome.ts'

/** What this request has found out about one record: shared by every place of the answer at which it stands. */
export interface RecordState {
  readonly ref: RecordRef
  /** 0 of a record that was erased. */
  readonly version: number
  /** Nothing of it can be read any more but where it was. */
  readonly erased: boolean
  readonly metadata: RecordMetadata
  /** What was known of the caller and the patient when the record was decided. */
  readonly facts: Facts
  readonly outcomes: Map<SchemaPath, PathOutcome>
}

/**
 * A record as resolvers see it, at one place of the answer. It holds what was decided and opened before, and can open
 * nothing itself. Only the record loader makes one.
 */
export class RecordView {
  readonly #state: RecordState
  /** `Patient`, or `Patient.address` for the embedded object of that name. */
  readonly #at: string

  constructor(state: RecordState, at: string = state.ref.type) {
    this.#state = state
    this.#at = at
  }

  /** What the interface `Node` is resolved by. */
  get __typename(): TypeName {
    return this.#state.ref.type
  }

  get ref(): RecordRef {
    return this.#state.ref
  }

  /** Tells records apart within a request. */
  get key(): string {
    return recordKey(this.#state.ref)
  }

  get facts(): Facts {
    return this.#state.facts
  }

  get version(): number {
    return this.#state.version
  }

  /** A field that is not PHI. @throws Erased */
  open(field: string): Json {
    if (this.#state.erased) throw new Erased()
    return this.#state.metadata.open[field] ?? null
  }

  /** @throws Erased */
  reference(field: string): RecordId | undefined {
    if (this.#state.erased) throw new Erased()
    return this.#state.metadata.references[field]
  }

  path(field: string): SchemaPath {
    return `${this.#at}.${field}` as SchemaPath
  }

  /** What became of a PHI field. Undefined when nothing was decided about it: whoever reads on then must fail. */
  outcome(field: string): PathOutcome | undefined {
    return this.#state.outcomes.get(this.path(field))
  }

  /** The object at `field`, whose leaves are fields of this record. */
  embedded(field: string): RecordView {
    return new RecordView(this.#state, this.path(field))
  }
}

export const recordKey = ({ type, patient, id }: RecordRef): string => `${type}#${patient}#${id}`

/** Where a record stands, as the audit tells it. */
export const whereOf = ({ ref: { patient, type, id }, version }: RecordView) => ({
  patient,
  recordType: type,
  recordId: id,
  ...(version > 0 && { recordVersion: version }),
})
