import { Erased } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { type RecordId, recordKey, type RecordRef } from '../model/ids.ts'
import type { Facts } from '../model/decision.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import type { PathOutcome } from './path-outcome.ts'

/** The state of one record in this request, shared by all of its places in the answer. */
export interface RecordState {
  readonly ref: RecordRef
  /** 0 for an erased record. */
  readonly version: number
  /** Only the location of an erased record is readable. */
  readonly erased: boolean
  /** Whether a list led to the record first. */
  readonly listed: boolean
  readonly metadata: RecordMetadata
  /** The facts that the record was decided with. */
  readonly facts: Facts
  readonly outcomes: Map<SchemaPath, PathOutcome>
}

/**
 * A record as resolvers see it, at one place of the answer. It holds the outcomes and values of earlier decisions, and cannot open
 * anything itself. Only the record loader creates one.
 */
export class RecordView {
  readonly #state: RecordState
  /** `Patient`, or `Patient.address` for the embedded object of that name. */
  readonly #at: string

  constructor(state: RecordState, at: string = state.ref.type) {
    this.#state = state
    this.#at = at
  }

  /** Resolves the interface `Node`. */
  get __typename(): TypeName {
    return this.#state.ref.type
  }

  get ref(): RecordRef {
    return this.#state.ref
  }

  /** Identifies the record within a request. */
  get key(): string {
    return recordKey(this.#state.ref)
  }

  get facts(): Facts {
    return this.#state.facts
  }

  get listed(): boolean {
    return this.#state.listed
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

  /** The outcome of a PHI field. Undefined without a decision: the reader must then fail. */
  outcome(field: string): PathOutcome | undefined {
    return this.#state.outcomes.get(this.path(field))
  }

  /** The object at `field`. Its leaves are fields of this record. */
  embedded(field: string): RecordView {
    return new RecordView(this.#state, this.path(field))
  }
}

/** The location of a record, in the form of the audit. */
export const whereOf = ({ ref: { patient, type, id }, version, listed }: RecordView) => ({
  listed,
  patient,
  recordType: type,
  recordId: id,
  ...(version > 0 && { recordVersion: version }),
})
