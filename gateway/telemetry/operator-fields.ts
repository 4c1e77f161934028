import { createHash } from 'node:crypto'
import { isCause } from './events.ts'
import { tenantId } from '../model/ids.ts'

/**
 * How a field of an event is printed. Types are not enough where it leaves the process: a cast, a library or a token could have
 * put anything into a string. What does not have the form that it should have is not printed (P8).
 */
export type FieldPrinter = (value: unknown) => string | number | readonly string[]

/** Stands where a field had not the form that it should have. */
const WITHHELD = '(withheld)'

/** Counts and milliseconds. */
export const number: FieldPrinter = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : WITHHELD)

/** `FENCED`: a word of ours. */
export const word = matching(/^[A-Z_]{1,32}$/)

/** The name of an error class. */
export const cause: FieldPrinter = (value) => (isCause(value) ? value : WITHHELD)

/** The name of a customer of the deployment, from a verified token. Digits and hyphens alone are a number of somebody's. */
export const tenant: FieldPrinter = (value) =>
  typeof value === 'string' && tenantId(value) !== undefined && /[a-z]/.test(value) ? value : WITHHELD

/** 18 bytes that this process made. */
export const request = matching(/^[\w-]{24}$/)

/** `process.number`, or `process.part.number` after a fence: all made by this process. */
export const lane = matching(/^[\w-]{1,64}(?:\.[\w-]{8})?\.\d{1,9}$/)

/** A name in the schema. */
export const path = matching(/^[A-Za-z_]\w{0,63}(?:\.[A-Za-z_]\w{0,63}){0,5}$/)

/** `internal-fault.ts` gives them no other form; who sends an event of its own might. */
export const frames: FieldPrinter = (value) =>
  Array.isArray(value) ? value.slice(0, 16).map((frame: unknown) => String(frameText(frame))) : WITHHELD
const frameText = matching(/^(?:[A-Za-z_$#<][\w$#.<>]{0,79} )?(?:node:[a-z_/]{1,80}|[\w@./-]{1,130}\.[cm]?[jt]s):\d{1,7}:\d{1,7}$/)

/**
 * A patient's id, as a digest. The id is opaque and random, and still a number that is this patient's alone (45 CFR
 * 164.514(b)(2)(i)(R)); beside "integrity failure" or "forged" it tells something of the patient's record. Who may read the
 * tables finds the item by the digest, and from the log alone nobody asks for anything: `docs/operations.md`.
 */
export const patient: FieldPrinter = (value) => (typeof value === 'string' ? digest(value) : WITHHELD)

/** A record as its type and the digest of `patient/record`. */
export const record: FieldPrinter = (value) => {
  const { type, patient, id } = (value ?? {}) as Readonly<Record<string, unknown>>
  if (typeof patient !== 'string' || typeof id !== 'string') return WITHHELD
  return `${String(path(type))} ${digest(`${patient}/${id}`)}`
}

/** The first 12 bytes of SHA-256, base64url: enough to tell items apart. */
function digest(id: string): string {
  return createHash('sha256').update(id).digest().toString('base64url', 0, 12)
}

function matching(form: RegExp): FieldPrinter {
  return (value) => (typeof value === 'string' && form.test(value) ? value : WITHHELD)
}
