import { createHash } from 'node:crypto'
import { isCause } from './events.ts'
import { tenantId } from '../model/ids.ts'

/**
 * Prints one field of an event. Types are no protection where data leaves the process: a cast, a library or a token can put any
 * text into a string. A value without the expected form is not printed (P8).
 */
export type FieldPrinter = (value: unknown) => string | number | readonly string[]

/** Replaces a value without the expected form. */
const WITHHELD = '(withheld)'

/** Counts and milliseconds. */
export const number: FieldPrinter = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : WITHHELD)

/** A constant of the gateway, for instance `FENCED`. */
export const word = matching(/^[A-Z_]{1,32}$/)

/** The name of an error class. */
export const cause: FieldPrinter = (value) => (isCause(value) ? value : WITHHELD)

/** The name of a tenant, from a verified token. A name without letters is not printed: it could be a person's number. */
export const tenant: FieldPrinter = (value) =>
  typeof value === 'string' && tenantId(value) !== undefined && /[a-z]/.test(value) ? value : WITHHELD

/** The id of a client, from a verified token. An id without letters is not printed, as for a tenant. */
export const client: FieldPrinter = (value) =>
  typeof value === 'string' && /^[\w.-]{1,64}$/.test(value) && /[A-Za-z]/.test(value) ? value : WITHHELD

/** SHA-256 in hex. */
export const hash = matching(/^[0-9a-f]{64}$/)

/** A request id: 18 bytes that this process generated. */
export const request = matching(/^[\w-]{24}$/)

/** `process.number`, or `process.part.number` after a fence. This process generated all parts. */
export const lane = matching(/^[\w-]{1,64}(?:\.[\w-]{8})?\.\d{1,9}$/)

/** A path in the schema. */
export const path = matching(/^[A-Za-z_]\w{0,63}(?:\.[A-Za-z_]\w{0,63}){0,5}$/)

/** `internal-fault.ts` only returns frames of this form. Other code that sends events might not. */
export const frames: FieldPrinter = (value) =>
  Array.isArray(value) ? value.slice(0, 16).map((frame: unknown) => String(frameText(frame))) : WITHHELD
const frameText = matching(/^(?:[A-Za-z_$#<][\w$#.<>]{0,79} )?(?:node:[a-z_/]{1,80}|[\w@./-]{1,130}\.[cm]?[jt]s):\d{1,7}:\d{1,7}$/)

/**
 * A patient's id, as a digest. The id is opaque and random but still unique to the patient (45 CFR 164.514(b)(2)(i)(R)).
 * Beside "integrity failure" or "forged", it would reveal something about the patient's record. With read access to the tables,
 * operators find the item by its digest. The log itself contains no id to query with: see `docs/operations.md`.
 */
export const patient: FieldPrinter = (value) => (typeof value === 'string' ? digest(value) : WITHHELD)

/** A record: its type and the digest of `patient/record`. */
export const record: FieldPrinter = (value) => {
  const { type, patient, id } = (value ?? {}) as Readonly<Record<string, unknown>>
  if (typeof patient !== 'string' || typeof id !== 'string') return WITHHELD
  return `${String(path(type))} ${digest(`${patient}/${id}`)}`
}

/** The first 12 bytes of SHA-256, in base64url: enough to distinguish items. */
function digest(id: string): string {
  return createHash('sha256').update(id).digest().toString('base64url', 0, 12)
}

function matching(form: RegExp): FieldPrinter {
  return (value) => (typeof value === 'string' && form.test(value) ? value : WITHHELD)
}
