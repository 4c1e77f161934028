import { gunzipSync } from 'node:zlib'
import { itemHash } from '../../../gateway/audit/entry.ts'
import { NOTHING_BEFORE } from '../../../gateway/audit/verify/item.ts'
import { SEGMENTS, segmentRange } from '../../../gateway/audit/verify/layout.ts'
import type { LogFinding } from '../../../gateway/audit/verify/findings.ts'
import type { LogReport } from '../../../gateway/audit/verify/log-report.ts'
import { parseSegmentLine, type SegmentItem, segmentLine } from '../../../gateway/audit/verify/segment-line.ts'
import { compressed, type SealedLog } from './sealed-log.ts'

export type Files = Map<string, Uint8Array<ArrayBuffer>>

/** Numbers from 0 to `below - 1`, the same for a seed. */
export type Pick = (below: number) => number

/** An altered copy of a log, and the test of whether a report names the alteration. */
interface Alteration {
  readonly files: Files
  readonly what: string
  readonly isNamed: (report: LogReport) => boolean
  /** Checkpoints that the auditor kept. */
  readonly kept?: string
}

/** A segment with its items, which an alteration can change. */
export interface Segment {
  readonly name: string
  readonly start: number
  readonly end: number
  items: SegmentItem[]
}

export const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)
export const bytesOf = (content: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(content)

export function segmentsOf(files: Files): Segment[] {
  return [...files.keys()]
    .filter((name) => name.startsWith(SEGMENTS))
    .sort()
    .map((name) => {
      const { start, end } = segmentRange(name) ?? { start: 0, end: 0 }
      const lines = gunzipSync(files.get(name) ?? new Uint8Array())
        .toString('utf8')
        .trimEnd()
        .split('\n')
      return { name, start, end, items: lines.map((line) => parseSegmentLine(line) as SegmentItem) }
    })
}

export const write = (files: Files, segments: readonly Segment[]): void => {
  for (const { name, items } of segments) files.set(name, compressed(items.map(segmentLine).join('')))
}

/** Numbers the items of a lane anew, and computes its chain to the end: an attacker without keys can do this much. */
export function rechain(segments: readonly Segment[], lane: string): void {
  let [sequence, prev] = [0, NOTHING_BEFORE]
  for (const segment of segments) {
    segment.items = segment.items.map((item) => {
      if (item.lane !== lane) return item
      sequence++
      const chained = { ...item, sequence, prev, hash: itemHash({ tenant: 'riverside', lane, sequence }, item.text, prev) }
      prev = chained.hash
      return chained
    })
  }
}

export const isAt = (finding: LogFinding, position: number): boolean => 'position' in finding && finding.position === position
export const inSegment = (finding: LogFinding, { start, end }: Segment): boolean =>
  ('position' in finding && finding.position >= start && finding.position < end) || ('start' in finding && finding.start === start)
export const has = (report: LogReport, kind: LogFinding['kind'], match: (finding: LogFinding) => boolean = () => true): boolean =>
  report.findings.some((finding) => finding.kind === kind && match(finding))

export type Alter = (log: SealedLog, files: Files, pick: Pick) => Omit<Alteration, 'files'> | undefined

/** The position of an item of `segments`, at random. */
export function place(segments: readonly Segment[], pick: Pick, at: 'ANY' | 'FIRST' | 'MIDDLE' | 'LAST' = 'ANY') {
  const whole = segments.reduce((sum, { items }) => sum + items.length, 0)
  const position = at === 'FIRST' ? 0 : at === 'LAST' ? whole - 1 : at === 'MIDDLE' ? 1 + pick(whole - 2) : pick(whole)
  const segment = segments.find(({ start, end }) => position >= start && position < end) as Segment
  return { position, segment, index: position - segment.start, item: segment.items[position - segment.start] as SegmentItem }
}

/** A copy with one byte that differs. */
export function withAlteredByte(bytes: Uint8Array | undefined, pick: Pick): Uint8Array<ArrayBuffer> {
  const altered = new Uint8Array(bytes ?? [])
  const at = pick(altered.length)
  altered[at] = ((altered[at] ?? 0) + 1 + pick(255)) % 256
  return altered
}
