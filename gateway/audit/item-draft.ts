import type { AccessRecord } from '../model/access-record.ts'
import type { AuditContext, TimedAccess } from './entry.ts'
import { writeUnits } from './item.ts'
import { contextText, ItemEncoder, type ItemPosition } from './item-encoder.ts'
import type { UserAgent } from './user-agents.ts'

/** How a record counts for the length of its item. Lengths must not reveal what a caller may not learn (P5). */
export type Placement =
  /** By its own length. */
  | { readonly kind: 'WITH_PATIENT' }
  /** An item of its own, of one length for every refusal: the requested id leads to nothing that the caller may know of. */
  | { readonly kind: 'REFUSED'; readonly id: string }
  /** A record that was left out of an answer. It takes no length of its own up to `LEFT_OUT_RESERVE`. */
  | { readonly kind: 'LEFT_OUT' }

/** An item is full at this length, in bytes. */
const FULL_BYTES = 24_000 - 1_024
/** Room for three records that are left out: a head and a group for each, and a shape for their common reason. */
const LEFT_OUT_RESERVE = 288
/** The names and the values of one length in an item, its lane without the tenant, separators and shards, at most. */
const KEY_BYTES = 144
/** More records than this that were left out fill an item. */
const MAX_LEFT_OUT = 300
/** The lengths of what a refused id adds: its head and group once, and a patient id or keyed hash, in the text and in the index key. */
const REFUSED_BYTES = 192
/** The length of a refusal besides its paths, at most. */
const REFUSAL_BYTES = 96

export interface DraftParts {
  readonly context: AuditContext
  /** The length of the context in the text, in bytes, at most: without a patient. */
  readonly contextBytes: number
  readonly userAgent: UserAgent | undefined
  /** Whether the request may leave records out of its answer, by its text. Each of its items then reserves room for them. */
  readonly leftOut: 'POSSIBLE' | 'NEVER'
}

/** The records of one request about one patient, until they are sent. */
export class ItemDraft {
  readonly context: AuditContext
  readonly userAgent: UserAgent | undefined
  readonly patient: string | undefined
  readonly time: number
  readonly #contextBytes: number
  readonly #reserve: number
  readonly #refused: boolean
  readonly #encoder = new ItemEncoder()
  readonly #leftOut: AccessRecord[] = []
  /** Encodes the left out records by themselves, for their length. */
  #leftOutEncoder: ItemEncoder | undefined
  #refusedBytes = REFUSED_BYTES
  /** The length of the records in the text, without those that were left out. */
  #ownBytes: number | undefined
  part = 1
  parts: number | undefined

  constructor(
    { context, contextBytes, userAgent, leftOut }: DraftParts,
    { patient, at }: Pick<TimedAccess, 'patient' | 'at'>,
    placement: Placement['kind'],
  ) {
    this.context = context
    this.userAgent = userAgent
    this.#contextBytes = contextBytes
    this.#reserve = leftOut === 'POSSIBLE' ? LEFT_OUT_RESERVE : 0
    this.patient = patient
    this.time = at
    this.#refused = placement === 'REFUSED'
  }

  add(record: AccessRecord, placement: Placement['kind']): void {
    if (placement === 'LEFT_OUT') {
      this.#leftOut.push(record)
      this.#leftOutEncoder ??= new ItemEncoder()
      this.#leftOutEncoder.add(record)
    } else {
      this.#encoder.add(record)
    }
    const paths = [record.path, ...(record.paths ?? [])]
    this.#refusedBytes += paths.reduce((sum, path) => sum + path.length + 3, REFUSAL_BYTES)
  }

  /** The write units of the item at most, without the text of a user agent. */
  get units(): number {
    const { tenant, user } = this.context
    // up to the reserve, left out records change nothing: the choice of a transaction's items must not reveal them either
    const closed = Math.max(this.#reserve, this.#leftOutEncoder?.bytes ?? 0)
    const patient = 2 * Buffer.byteLength(this.patient ?? '')
    const records = Math.max(this.#encoder.bytes + closed + patient, this.#refused ? this.#refusedBytes : 0)
    const keys = KEY_BYTES + 3 * Buffer.byteLength(tenant) + Buffer.byteLength(user)
    return writeUnits(keys + this.#contextBytes + records, this.patient === undefined ? 1 : 2)
  }

  /** Whether another record belongs into another item. */
  get isFull(): boolean {
    return this.#encoder.bytes > FULL_BYTES || this.#leftOut.length > MAX_LEFT_OUT
  }

  /**
   * The text of the item, and the length that the item is padded for, both in bytes. Nothing can be added after it.
   *
   * Records that were left out come last, so that they change nothing of the others.
   */
  encode(position: Pick<ItemPosition, 'succeeds' | 'userAgent' | 'userAgentText'>): { text: string; bytes: number } {
    const { part, parts, patient } = this
    const context = contextText(this.context, {
      ...position,
      time: this.time,
      part,
      ...(patient !== undefined && { patient }),
      ...(parts !== undefined && { parts }),
    })
    let records = this.#encoder.text()
    this.#ownBytes ??= Buffer.byteLength(records)
    if (this.#leftOut.length > 0) {
      for (const record of this.#leftOut.splice(0)) this.#encoder.add(record)
      records = this.#encoder.text()
    }
    const text = `{"c":${context},${records}}`
    // the patient is in the text and in the index key
    const ofRecords = this.#refused ? this.#refusedBytes - 2 * Buffer.byteLength(patient ?? '') : this.#ownBytes + this.#reserve
    return { text, bytes: Math.max(Buffer.byteLength(context) + ofRecords, Buffer.byteLength(text)) }
  }
}
