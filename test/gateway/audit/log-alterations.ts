import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { itemHash } from '../../../gateway/audit/entry.ts'
import { NOTHING_BEFORE } from '../../../gateway/audit/verify/item.ts'
import {
  CHECKPOINTS,
  EXPORT_NAME,
  HOURS,
  LATEST_NAME,
  LOCKS,
  noteName,
  noteSize,
  SEGMENTS,
  segmentName,
  segmentRange,
} from '../../../gateway/audit/verify/layout.ts'
import type { LogFinding } from '../../../gateway/audit/verify/findings.ts'
import type { LogReport } from '../../../gateway/audit/verify/log-report.ts'
import { parseSegmentLine, type SegmentItem, segmentLine } from '../../../gateway/audit/verify/segment-line.ts'
import { TileTree } from '../../../gateway/audit/verify/tile-tree.ts'
import { compressed, LogKeys, ORIGIN, type SealedLog, signingKey } from './sealed-log.ts'

type Files = Map<string, Uint8Array<ArrayBuffer>>

/** Numbers from 0 to `below - 1`, the same for a seed. */
type Pick = (below: number) => number

/** An altered copy of a log, and the test of whether a report names the alteration. */
interface Alteration {
  readonly files: Files
  readonly what: string
  readonly isNamed: (report: LogReport) => boolean
  /** Checkpoints that the auditor kept. */
  readonly kept?: string
}

/** A segment with its items, which an alteration can change. */
interface Segment {
  readonly name: string
  readonly start: number
  readonly end: number
  items: SegmentItem[]
}

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)
const bytesOf = (content: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(content)

function segmentsOf(files: Files): Segment[] {
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

const write = (files: Files, segments: readonly Segment[]): void => {
  for (const { name, items } of segments) files.set(name, compressed(items.map(segmentLine).join('')))
}

/** Numbers the items of a lane anew, and computes its chain to the end: an attacker without keys can do this much. */
function rechain(segments: readonly Segment[], lane: string): void {
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

const isAt = (finding: LogFinding, position: number): boolean => 'position' in finding && finding.position === position
const inSegment = (finding: LogFinding, { start, end }: Segment): boolean =>
  ('position' in finding && finding.position >= start && finding.position < end) || ('start' in finding && finding.start === start)
const has = (report: LogReport, kind: LogFinding['kind'], match: (finding: LogFinding) => boolean = () => true): boolean =>
  report.findings.some((finding) => finding.kind === kind && match(finding))

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

/** The log signed anew from a round on, with any keys. */
function signAnew(files: Files, segments: readonly Segment[], sign: (size: number, tree: TileTree, round: number) => string): void {
  const tree = new TileTree()
  for (const [round, { items, end }] of segments.entries()) {
    for (const { hash } of items) tree.append(Buffer.from(hash, 'hex'))
    const note = sign(end, tree, round)
    if (note !== '') files.set(noteName(end), bytesOf(note))
    if (note !== '' && round === segments.length - 1) files.set(LATEST_NAME, bytesOf(note))
  }
}

const TIMES = 1_772_366_460

type Alter = (log: SealedLog, files: Files, pick: Pick) => Omit<Alteration, 'files'> | undefined

/** The position of an item of `segments`, at random. */
function place(segments: readonly Segment[], pick: Pick, at: 'ANY' | 'FIRST' | 'MIDDLE' | 'LAST' = 'ANY') {
  const whole = segments.reduce((sum, { items }) => sum + items.length, 0)
  const position = at === 'FIRST' ? 0 : at === 'LAST' ? whole - 1 : at === 'MIDDLE' ? 1 + pick(whole - 2) : pick(whole)
  const segment = segments.find(({ start, end }) => position >= start && position < end) as Segment
  return { position, segment, index: position - segment.start, item: segment.items[position - segment.start] as SegmentItem }
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

export const ALTERATIONS: readonly Alter[] = [
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
  // a tile, a checkpoint, a registry or a lock altered
  (_log, files, pick) => {
    const names = [...files.keys()].filter((name) => name.startsWith('tile/') && !/\.p\//.test(name))
    const name = names[pick(names.length)] ?? ''
    const altered = (files.get(name) ?? new Uint8Array()).slice()
    const at = pick(altered.length)
    altered[at] = ((altered[at] ?? 0) + 1 + pick(255)) % 256
    files.set(name, altered)
    return {
      what: 'a byte of a tile altered',
      isNamed: (report) => has(report, 'TILE_ALTERED', (finding) => 'name' in finding && finding.name === name),
    }
  },
  (_log, files, pick) => {
    const names = [...files.keys()].filter((name) => name.startsWith(CHECKPOINTS))
    const name = names[pick(names.length)] ?? ''
    const altered = (files.get(name) ?? new Uint8Array()).slice()
    const at = pick(altered.length)
    altered[at] = ((altered[at] ?? 0) + 1 + pick(255)) % 256
    files.set(name, altered)
    const size = noteSize(name) ?? -1
    return {
      what: 'a byte of a checkpoint altered',
      isNamed: (report) =>
        report.unwitnessed.includes(size) || report.findings.some((finding) => 'size' in finding && finding.size === size),
    }
  },
  (_log, files, pick) => {
    const name = [...files.keys()].find((one) => one.startsWith(LOCKS)) ?? ''
    const altered = (files.get(name) ?? new Uint8Array()).slice()
    const at = pick(altered.length)
    altered[at] = ((altered[at] ?? 0) + 1 + pick(255)) % 256
    const isDropped = pick(2) === 0
    if (isDropped) files.delete(name)
    else files.set(name, altered)
    return {
      what: 'a policy lock altered or dropped',
      isNamed: (report) => has(report, isDropped ? 'LOCK_MISSING' : 'LOCK_ALTERED'),
    }
  },
  (_log, files, pick) => {
    const name = [...files.keys()].findLast((one) => one.startsWith(HOURS)) ?? ''
    const registry = JSON.parse(text(files.get(name))) as { lanes: { lane: string; last: number }[] }
    const at = pick(registry.lanes.length)
    const line = registry.lanes[at] as { lane: string; last: number }
    const change = pick(3)
    if (change === 0) registry.lanes.splice(at, 1)
    else if (change === 1) line.last += 1 + pick(5)
    else registry.lanes.push({ lane: 'kakjK50G.99', last: 7 })
    files.set(name, bytesOf(JSON.stringify(registry)))
    const kind = (['UNREGISTERED', 'CUT_SHORT', 'LANE_MISSING'] as const)[change] ?? 'CUT_SHORT'
    return { what: `the registry of an hour altered: ${kind}`, isNamed: (report) => has(report, kind) }
  },
  (_log, files, pick) => {
    const names = [...files.keys()].filter((one) => one.startsWith(CHECKPOINTS))
    const name = names[pick(names.length)] ?? ''
    files.delete(name)
    return {
      what: 'a checkpoint dropped',
      isNamed: (report) => has(report, 'CHECKPOINT_MISSING', (finding) => 'size' in finding && finding.size === noteSize(name)),
    }
  },
  // an old checkpoint under the name of a later one, or as the latest one
  (_log, files, pick) => {
    const names = [...files.keys()].filter((name) => name.startsWith(CHECKPOINTS)).sort()
    const later = 1 + pick(names.length - 1)
    const old = files.get(names[pick(later)] ?? '') ?? new Uint8Array()
    const asLatest = pick(2) === 0
    files.set(asLatest ? LATEST_NAME : (names[later] ?? ''), old)
    return {
      what: `an old checkpoint replayed as ${asLatest ? 'the latest one' : 'a later one'}`,
      isNamed: (report) =>
        asLatest
          ? has(report, 'REPLAYED')
          : has(report, 'CHECKPOINT', (finding) => 'reason' in finding && finding.reason === 'NAME'),
    }
  },
  // signed with other keys
  (_log, files) => {
    const segments = segmentsOf(files)
    const others = new LogKeys()
    signAnew(files, segments, (size, tree, round) => others.note({ origin: ORIGIN, size, root: tree.root() }, TIMES + 60 * round))
    return {
      what: 'signed with other keys',
      isNamed: (report) => has(report, 'CHECKPOINT', (finding) => 'reason' in finding && finding.reason === 'KEY'),
    }
  },
  // one checkpoint signed with another key of the same name
  (_log, files, pick) => {
    const names = [...files.keys()].filter((name) => name.startsWith(CHECKPOINTS)).sort()
    const name = names[pick(names.length)] ?? ''
    const other = signingKey(ORIGIN, 'ED25519')
    const [head, signatures = ''] = text(files.get(name)).split('\n\n')
    const id = createHash('sha256').update(other.text).digest().subarray(0, 4)
    const lines = signatures.split('\n').map((line) => {
      const [dash, key, base64 = ''] = line.split(' ')
      return key === ORIGIN
        ? `${dash ?? ''} ${key} ${Buffer.concat([id, Buffer.from(base64, 'base64').subarray(4)]).toString('base64')}`
        : line
    })
    files.set(name, bytesOf(`${head ?? ''}\n\n${lines.join('\n')}`))
    return {
      what: 'a checkpoint under other key ids',
      isNamed: (report) => has(report, 'CHECKPOINT', (finding) => 'size' in finding && finding.size === noteSize(name)),
    }
  },
  // the operator has the key of the log, and forks it: the witnesses did not sign the other tree
  (log, files, pick) => {
    const segments = segmentsOf(files)
    const { segment, index, item } = place(segments, pick)
    segment.items[index] = { ...item, text: item.text.replace('"TREAT"', '"HRESCH"') }
    rechain(segments, item.lane)
    write(files, segments)
    const kept = text(log.files.get(LATEST_NAME))
    // the witnesses collude in every second fork, so that only a kept checkpoint shows it
    const colluding = pick(2) === 0
    const strip = (note: string): string =>
      note
        .split('\n')
        .filter((line) => !line.includes('w1.') && !line.includes('w2.'))
        .join('\n')
    signAnew(files, segments, (size, tree, round) => {
      const note = log.keys.note({ origin: ORIGIN, size, root: tree.root() }, TIMES + 60 * round)
      return colluding ? note : strip(note)
    })
    return {
      what: `a fork that the log ${colluding ? 'and the witnesses' : ''} signed`,
      ...(colluding && { kept }),
      isNamed: (report) => has(report, colluding ? 'TWO_ROOTS' : 'WITNESS'),
    }
  },
  // the operator has all keys, and dates a checkpoint back
  (log, files, pick) => {
    const segments = segmentsOf(files)
    const at = pick(segments.length)
    const kept = text(log.files.get(noteName(segments[at]?.end ?? 0)))
    const earlier = 1 + pick(1_000_000)
    signAnew(files, segments, (size, tree, round) =>
      round === at ? log.keys.note({ origin: ORIGIN, size, root: tree.root() }, TIMES - earlier) : '',
    )
    if (at === segments.length - 1) files.set(LATEST_NAME, files.get(noteName(segments[at]?.end ?? 0)) ?? new Uint8Array())
    return {
      what: 'a checkpoint dated back',
      kept,
      isNamed: (report) => has(report, 'TWO_TIMES', (finding) => 'size' in finding && finding.size === segments[at]?.end),
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
