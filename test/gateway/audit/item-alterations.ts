import { gunzipSync } from 'node:zlib'
import { EXPORT_NAME, LATEST_NAME, noteName, segmentName } from '../../../gateway/audit/verify/layout.ts'
import type { LogReport } from '../../../gateway/audit/verify/log-report.ts'
import { type SegmentItem, segmentLine } from '../../../gateway/audit/verify/segment-line.ts'
import { compressed } from './sealed-log.ts'
import {
  type Pick,
  type Segment,
  text,
  bytesOf,
  segmentsOf,
  write,
  rechain,
  isAt,
  inSegment,
  has,
  type Alter,
  place,
} from './altered-log.ts'

function swapOutcomes(item: SegmentItem): string | undefined {
  const content = JSON.parse(item.text) as { s: (string | Record<string, unknown>)[] }
  const [one, two] = [
    content.s.findIndex((shape) => typeof shape === 'string'),
    content.s.findIndex((shape) => typeof shape !== 'string'),
  ]
  if (one < 0 || two < 0) return undefined
  const { p, ...rest } = content.s[two] as Record<string, unknown>
  const path = content.s[one]
  content.s[one] = Object.fromEntries(Object.entries({ ...rest, p: path }).sort(([a], [b]) => (a < b ? -1 : 1)))
  content.s[two] = p as string
  return JSON.stringify(content)
}

/** An alteration of one item, either as it is or with the chain of its lane computed anew. */
const ofItem =
  (what: string, change: (item: SegmentItem, pick: Pick) => string | undefined): Alter =>
  (_log, files, pick) => {
    const segments = segmentsOf(files)
    const { position, segment, index, item } = place(segments, pick)
    const changed = change(item, pick)
    if (changed === undefined || changed === item.text) return undefined
    segment.items[index] = { ...item, text: changed }
    const hidden = pick(2) === 0
    if (hidden) rechain(segments, item.lane)
    write(files, segments)
    return {
      what: `${what}${hidden ? ', with the chain computed anew' : ''}`,
      isNamed: (report) => report.findings.some((finding) => isAt(finding, position)),
    }
  }

const drop =
  (at: 'FIRST' | 'MIDDLE' | 'LAST'): Alter =>
  (_log, files, pick) => {
    const segments = segmentsOf(files)
    const { segment, index, item } = place(segments, pick, at)
    segment.items.splice(index, 1)
    const hidden = pick(2) === 0
    if (hidden) rechain(segments, item.lane)
    write(files, segments)
    return {
      what: `the ${at.toLowerCase()} item dropped${hidden ? ', with the chain computed anew' : ''}`,
      isNamed: (report) => report.findings.some((finding) => inSegment(finding, segment)),
    }
  }
/** Alterations of items and segments. */
export const ITEM_ALTERATIONS: readonly Alter[] = [
  ofItem('a character of an item altered', ({ text: before }, pick) => {
    const at = pick(before.length)
    return `${before.slice(0, at)}${String.fromCharCode((before.charCodeAt(at) % 90) + 33)}${before.slice(at + 1)}`.toWellFormed()
  }),
  ofItem('an item with an earlier time', ({ text: before }, pick) =>
    before.replace(/"t":(\d+)/, (_all, time) => `"t":${Number(time) - 1 - pick(10_000_000)}`),
  ),
  ofItem('the outcomes of two fields swapped', swapOutcomes),
  drop('FIRST'),
  drop('MIDDLE'),
  drop('LAST'),
  // any byte of a segment, as it is stored
  (_log, files, pick) => {
    const segments = segmentsOf(files)
    const segment = segments[pick(segments.length)] as Segment
    const stored = (files.get(segment.name) ?? new Uint8Array()).slice()
    const at = pick(stored.length)
    stored[at] = ((stored[at] ?? 0) + 1 + pick(255)) % 256
    // a few bits of the compressed form carry nothing: unused ones of its end, and the name of the operating system
    const before = text(gunzipSync(files.get(segment.name) ?? new Uint8Array()))
    const isSame = ((): boolean => {
      try {
        return text(gunzipSync(stored)) === before && at > 9
      } catch {
        return false
      }
    })()
    if (isSame || at === 9) return undefined
    files.set(segment.name, stored)
    return {
      what: 'a byte of a segment altered',
      isNamed: (report) => report.findings.some((finding) => inSegment(finding, segment)),
    }
  },
  // any byte of a line
  (_log, files, pick) => {
    const segments = segmentsOf(files)
    const segment = segments[pick(segments.length)] as Segment
    const lines = segment.items.map(segmentLine).join('')
    const at = pick(lines.length)
    const other = String.fromCharCode(((lines.charCodeAt(at) + 1 + pick(90)) % 94) + 33)
    if (other === lines[at]) return undefined
    files.set(segment.name, compressed(lines.slice(0, at) + other + lines.slice(at + 1)))
    return { what: 'a byte of a line altered', isNamed: (report) => report.findings.some((finding) => inSegment(finding, segment)) }
  },
  // two items exchanged
  (_log, files, pick) => {
    const segments = segmentsOf(files)
    const [one, two] = [place(segments, pick), place(segments, pick)]
    if (one.position === two.position) return undefined
    one.segment.items[one.index] = two.item
    two.segment.items[two.index] = one.item
    write(files, segments)
    const first = Math.min(one.position, two.position)
    return { what: 'two items exchanged', isNamed: (report) => report.findings.some((finding) => isAt(finding, first)) }
  },
  // an item inserted, or one that is there twice
  (_log, files, pick) => {
    const segments = segmentsOf(files)
    const { segment, index, item } = place(segments, pick)
    const isCopy = pick(2) === 0
    const added = isCopy ? item : { ...item, text: item.text.replace('"TREAT"', '"HRESCH"') }
    segment.items.splice(index, 0, added)
    const hidden = pick(2) === 0
    if (hidden) rechain(segments, item.lane)
    write(files, segments)
    return {
      what: `an item ${isCopy ? 'duplicated' : 'inserted'}${hidden ? ', with the chain computed anew' : ''}`,
      isNamed: (report) => report.findings.some((finding) => inSegment(finding, segment)),
    }
  },
  // a segment cut off
  (_log, files, pick) => {
    const segments = segmentsOf(files)
    const segment = segments[pick(segments.length)] as Segment
    segment.items.splice(1 + pick(segment.items.length - 1))
    write(files, segments)
    return { what: 'a segment cut off', isNamed: (report) => has(report, 'SEGMENT_FORM', (finding) => inSegment(finding, segment)) }
  },
  // a segment dropped
  (_log, files, pick) => {
    const segments = segmentsOf(files)
    const at = pick(segments.length)
    const { name, start, end } = segments[at] as Segment
    files.delete(name)
    const isNamed = (report: LogReport): boolean =>
      has(report, 'SEGMENT_MISSING', (finding) => 'start' in finding && finding.start === start && finding.end === end)
    return { what: `segment ${at + 1} of ${segments.length} dropped`, isNamed }
  },
  // the end of the log cut off, with its checkpoints: only a kept checkpoint shows it
  (_log, files, pick) => {
    const segments = segmentsOf(files)
    const from = 1 + pick(segments.length - 1)
    const kept = text(files.get(LATEST_NAME))
    const size = segments.at(-1)?.end
    for (const { name, end } of segments.slice(from)) {
      files.delete(name)
      files.delete(noteName(end))
    }
    const end = segments[from - 1]?.end ?? 0
    files.set(LATEST_NAME, files.get(noteName(end)) ?? new Uint8Array())
    files.set(EXPORT_NAME, bytesOf(JSON.stringify({ start: 0, end })))
    return {
      what: 'the log truncated',
      kept,
      isNamed: (report) => has(report, 'TRUNCATED', (finding) => 'size' in finding && finding.size === size),
    }
  },
  // a second segment over the same positions
  (_log, files, pick) => {
    const segments = segmentsOf(files).filter(({ start, end }) => end - start > 1)
    const { name, start, end } = segments[pick(segments.length)] as Segment
    files.set(segmentName(start, end - 1), files.get(name) ?? new Uint8Array())
    return { what: 'a second segment', isNamed: (report) => has(report, 'SEGMENT_OVERLAP') || has(report, 'SEGMENT_FORM') }
  },
]
