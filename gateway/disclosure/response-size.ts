import { mostCarriedBytes } from '../http/response-size.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import type { RecordShape } from '../operations/record-shape.ts'

/** What a value may take of an answer, known before it is opened. */
export type ValueSize =
  /** `bytes` of JSON text at most. 0 if the record does not have the value. */
  | { readonly kind: 'GIVEN' | 'MASKED'; readonly bytes: number }
  /** Denied or unavailable. Its stored length never counts. */
  | { readonly kind: 'NOT_GIVEN' }

/** A place of the answer that leads to a record: the shape of the record there, and the length of the path to the field. */
export interface AnswerPlace {
  readonly shape: RecordShape
  readonly pathBytes: number
}

/** A record at one place of the answer. */
export interface Occurrence {
  /** Identifies the record within a request. */
  readonly key: string
  readonly place: AnswerPlace
  /** The metadata of a given record; undefined if the answer has null and an error for it. */
  readonly metadata: RecordMetadata | undefined
}

/** An entry of `errors`, or of `masked`, without its paths. */
const ENTRY_BYTES = 400
/** Envelope and notices, and the fields of the root that are not PHI. Their keys are part of the operation's text. */
const ENVELOPE_BYTES = 16 * 1024

/**
 * Upper bound of the size of one answer. It grows with each record that the answer is going to have, before any value of the record is
 * opened. A record that is closed to the caller never counts, so that its size has no influence on the answer (P5).
 */
export class ResponseSize {
  readonly #max: number
  #bytes: number
  #isExceeded = false
  /** By record and path. */
  readonly #values = new Map<string, Map<SchemaPath, ValueSize>>()
  /** The paths with an entry in `errors` or `masked`. */
  readonly #entries = new Set<SchemaPath>()

  /** @param max of the response, in bytes as `isWithin` counts */
  constructor(max: number, operationText: string) {
    this.#max = max
    this.#bytes = ENVELOPE_BYTES + operationText.length
  }

  /** Whether the answer is too large. Then nothing of it may leave, and no further value may be opened. */
  get isExceeded(): boolean {
    return this.#isExceeded
  }

  get max(): number {
    return this.#max
  }

  /** The length of the body at most, as far as its records were added. */
  get bytes(): number {
    return this.#bytes
  }

  /** Learns the sizes of values of a record. */
  learn(key: string, path: SchemaPath, size: ValueSize): void {
    const known = this.#values.get(key)
    if (known === undefined) this.#values.set(key, new Map([[path, size]]))
    else known.set(path, size)
  }

  /** @returns false if the answer would be too large with these occurrences */
  add(occurrences: readonly Occurrence[]): boolean {
    for (const occurrence of occurrences) this.#bytes += this.#bytesOf(occurrence)
    if (mostCarriedBytes(Math.ceil(this.#bytes)) > this.#max) this.exceed()
    return !this.#isExceeded
  }

  /** Adds what no record has. @returns false if the answer would be too large with it */
  grow(bytes: number): boolean {
    this.#bytes += bytes
    return this.add([])
  }

  exceed(): void {
    this.#isExceeded = true
  }

  #bytesOf({ key, place: { shape, pathBytes }, metadata }: Occurrence): number {
    let bytes = shape.bytes
    if (metadata === undefined) return bytes + shape.self.count * (pathBytes + ENTRY_BYTES) + shape.self.pathBytes
    for (const [field, places] of shape.open) bytes += places * lengthOf(metadata.open[field] ?? null)
    const sizes = this.#values.get(key)
    for (const [path, value] of shape.values) {
      const size = sizes?.get(path) ?? NOT_GIVEN
      if (size.kind !== 'NOT_GIVEN' && size.bytes > 0) bytes += size.bytes * (value.copies + value.perByte) + value.once
      if (size.kind === 'GIVEN') continue
      bytes += value.count * pathBytes + value.pathBytes
      if (!this.#entries.has(path)) bytes += ENTRY_BYTES
      this.#entries.add(path)
    }
    return bytes
  }
}

const NOT_GIVEN: ValueSize = { kind: 'NOT_GIVEN' }

const lengthOf = (value: Json): number => Buffer.byteLength(JSON.stringify(value))
