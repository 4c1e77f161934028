import { createHash } from 'node:crypto'
import { CHECKPOINTS, HOURS, LATEST_NAME, LOCKS, noteName, noteSize } from '../../../gateway/audit/verify/layout.ts'
import { TileTree } from '../../../gateway/audit/verify/tile-tree.ts'
import { LogKeys, ORIGIN, signingKey } from './sealed-log.ts'
import {
  type Files,
  type Segment,
  text,
  bytesOf,
  segmentsOf,
  write,
  rechain,
  has,
  type Alter,
  place,
  withAlteredByte,
} from './altered-log.ts'

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
/** Alterations of tiles, checkpoints, registries and locks. */
export const HEAD_ALTERATIONS: readonly Alter[] = [
  // a tile, a checkpoint, a registry or a lock altered
  (_log, files, pick) => {
    const names = [...files.keys()].filter((name) => name.startsWith('tile/') && !/\.p\//.test(name))
    const name = names[pick(names.length)] ?? ''
    const altered = withAlteredByte(files.get(name), pick)
    files.set(name, altered)
    return {
      what: 'a byte of a tile altered',
      isNamed: (report) => has(report, 'TILE_ALTERED', (finding) => 'name' in finding && finding.name === name),
    }
  },
  (_log, files, pick) => {
    const names = [...files.keys()].filter((name) => name.startsWith(CHECKPOINTS))
    const name = names[pick(names.length)] ?? ''
    const altered = withAlteredByte(files.get(name), pick)
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
    const altered = withAlteredByte(files.get(name), pick)
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
]
