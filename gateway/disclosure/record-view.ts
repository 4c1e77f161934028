import { Erased } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { type RecordId, recordKey, type RecordRef } from '../model/ids.ts'
import type { Facts } from '../model/decision.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import type { RecordSignature } from '../model/signature.ts'
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
  /** The digest of the content in its sealed form. Undefined for a record of another source. */
  readonly sealedDigest?: () => string | undefined
  /** The facts that the record was decided with. */
  readonly facts: Facts
  /** Of an earlier version: further facts, under which each decision must permit too. */
  readonly also?: Facts
  /** The record is a version that a later one replaced. */
  readonly isEarlier?: true
  /** See `OpenRecord.seals`. */
  readonly seals?: () => ReadonlyMap<SchemaPath, string>
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

  /** Identifies the record within a request. An earlier version is apart from the version in force. */
  get key(): string {
    const { ref, version, isEarlier } = this.#state
    return isEarlier === true ? versionOf(ref, version) : recordKey(ref)
  }

  /** Whether a later version replaced this one. Such a record leads to no lists. */
  get isEarlier(): boolean {
    return this.#state.isEarlier === true
  }

  /** What the history of the record is decided with. It reaches no client. */
  get state(): Omit<RecordState, 'outcomes'> {
    return this.#state
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

  /** The FHIR identity of the author. @throws Erased */
  get author(): string | undefined {
    if (this.#state.erased) throw new Erased()
    return this.#state.metadata.author
  }

  /** The last signature of the record, whether or not it is valid. @throws Erased */
  get signature(): RecordSignature | undefined {
    if (this.#state.erased) throw new Erased()
    return this.#state.metadata.signature
  }

  /** The fields besides the values that a signature covers. @throws Erased */
  get signedMetadata(): Pick<RecordMetadata, 'references' | 'open'> {
    if (this.#state.erased) throw new Erased()
    return this.#state.metadata
  }

  /** The digest of the content in its sealed form, for signatures. Undefined for a record of another source. */
  get sealedDigest(): string | undefined {
    return this.#state.sealedDigest?.()
  }

  path(field: string): SchemaPath {
    return `${this.#at}.${field}` as SchemaPath
  }

  /** The outcome of a PHI field. Undefined without a decision: the reader must then fail. */
  outcome(field: string): PathOutcome | undefined {
    return this.outcomeAt(this.path(field))
  }

  /** The outcome of a PHI value of the record, by its path from the type. */
  outcomeAt(path: SchemaPath): PathOutcome | undefined {
    return this.#state.outcomes.get(path)
  }

  /** The object at `field`. Its leaves are fields of this record. */
  embedded(field: string): RecordView {
    return new RecordView(this.#state, this.path(field))
  }
}

/** One text for an earlier version of a record within a request. No record has this key. */
export const versionOf = (ref: RecordRef, version: number): string => `${recordKey(ref)}#${version}`

/** The location of a record, in the form of the audit. */
export const whereOf = ({ ref: { patient, type, id }, version, listed }: RecordView) => ({
  listed,
  patient,
  recordType: type,
  recordId: id,
  ...(version > 0 && { recordVersion: version }),
})
