/** An item of a segment: its place in the log, and its exact text. */
export interface SegmentItem {
  readonly lane: string
  readonly sequence: number
  /** 32 bytes, lower-case hex. */
  readonly prev: string
  readonly hash: string
  /** The exact text of the item, which the hash covers. */
  readonly text: string
}

// with the flag s, because a text may have U+2028, which JSON does not escape
const LINE = /^\{"l":"([A-Za-z0-9_.-]+)","n":([1-9]\d{0,15}),"pv":"([0-9a-f]{64})","h":"([0-9a-f]{64})","e":(".*")\}$/s

/** The line of an item, with its newline. Each item has exactly one line. */
export const segmentLine = ({ lane, sequence, prev, hash, text }: SegmentItem): string =>
  `{"l":"${lane}","n":${sequence},"pv":"${prev}","h":"${hash}","e":${JSON.stringify(text)}}\n`

/** Reads a line without its newline. Returns undefined for any text that `segmentLine` does not write. */
export function parseSegmentLine(line: string): SegmentItem | undefined {
  const [, lane, digits, prev, hash, quoted] = LINE.exec(line) ?? []
  const sequence = Number(digits)
  if (lane === undefined || prev === undefined || hash === undefined || quoted === undefined) return undefined
  if (!Number.isSafeInteger(sequence)) return undefined
  const text = unquoted(quoted)
  return text === undefined ? undefined : { lane, sequence, prev, hash, text }
}

function unquoted(quoted: string): string | undefined {
  try {
    const text: unknown = JSON.parse(quoted)
    // another spelling of the same text would be a second line for one item
    return typeof text === 'string' && text.isWellFormed() && JSON.stringify(text) === quoted ? text : undefined
  } catch {
    return undefined
  }
}
