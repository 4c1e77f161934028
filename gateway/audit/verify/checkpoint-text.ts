import { decodeBase64, encodeBase64 } from './base64.ts'
import type { Hash } from './tree.ts'

/** The statement of a log about its tree. */
export interface Checkpoint {
  /** The name of the log: `example.com/audit/riverside`. */
  readonly origin: string
  /** Number of leaves. */
  readonly size: number
  readonly root: Hash
}

const ORIGIN = /^[^\s+\p{White_Space}]+$/u
const NUMBER = /^(?:0|[1-9]\d{0,15})$/

/**
 * The text that is signed: origin, size and root, a line each. Two checkpoints of one size have the same text, or the log was rewritten.
 *
 * @throws RangeError if a part has no valid form in a checkpoint
 * @source C2SP tlog-checkpoint, "Note text"
 */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  const text = `${origin}\n${size}\n${encodeBase64(root)}\n`
  if (parseCheckpointText(text) === undefined) throw new RangeError('a checkpoint has an origin, a size and a root')
  return text
}

/** Reads the text of a checkpoint. Returns undefined for any other text, such as one with extension lines. */
export function parseCheckpointText(text: string): Checkpoint | undefined {
  const [origin = '', size = '', base64 = '', end, ...more] = text.split('\n')
  const root = decodeBase64(base64)
  const leaves = parseNumber(size)
  if (!ORIGIN.test(origin) || leaves === undefined || root?.length !== 32) return undefined
  return end === '' && more.length === 0 ? { origin, size: leaves, root } : undefined
}

/** The number of decimal digits without a leading zero, up to 2^53 - 1; undefined for any other text. */
export function parseNumber(digits: string): number | undefined {
  const value = NUMBER.test(digits) ? Number(digits) : Number.NaN
  return Number.isSafeInteger(value) ? value : undefined
}
