import { closesAt, type Hour } from '../audit/hour.ts'
import { CLOCK_TOLERANCE_MS, HOUR_MS, LINGER_MS } from '../audit/verify/hour-limits.ts'
import {
  CHECKPOINTS,
  EXPORT_NAME,
  HOURS,
  hourIn,
  LATEST_NAME,
  LOCKS,
  noteSize,
  partialTiles,
  POLICY_NAME,
  positionText,
  SEGMENTS,
  segmentRange,
  TILE_WIDTH,
  tileName,
} from '../audit/verify/layout.ts'
import { NoSealedLog, type StoredLog, type TimedNote } from './audit-objects.ts'

/** An item is sealed at most this long after its time, in milliseconds: it may be stored when its hour closes, and the notary runs each minute. */
const SEALED_WITHIN_MS = LINGER_MS + CLOCK_TOLERANCE_MS + 120_000

/** Milliseconds since the epoch. An end that is absent has no limit. */
interface ExportSpan {
  readonly from?: number
  readonly to?: number
}

/** Writes one file of an export. */
export type WriteFile = (name: string, bytes: Uint8Array) => Promise<void>

interface ExportedPart {
  /** Number of items before the export and after it. */
  readonly start: number
  readonly end: number
}

/**
 * Copies the part of a sealed log that holds all items of a span of time: segments, tiles, checkpoints, registries of hours, policy locks and the
 * policy of the log. `checkpoint` is written last, so that an interrupted export has none.
 *
 * The part begins and ends at checkpoints. It also holds items of other times that were sealed in between.
 *
 * @param onProgress called after each segment, with the number of items that are copied and the number of all
 * @throws NoSealedLog, StoreUnavailable
 */
export async function exportLog(
  log: StoredLog,
  span: ExportSpan,
  write: WriteFile,
  onProgress: (done: number, all: number) => void,
): Promise<ExportedPart> {
  // read first: every item of these registries is sealed in the checkpoint that is read next
  const hours: string[] = []
  for await (const name of log.names(HOURS)) hours.push(name)
  const { start, last } = await endsOf(log, span)
  const copy = async (name: string): Promise<void> => {
    const bytes = await log.read(name)
    if (bytes !== undefined) await write(name, bytes)
  }

  await copy(POLICY_NAME)
  for await (const name of log.names(LOCKS)) await copy(name)
  for (const name of hours) {
    const hour = hourIn(name) as Hour | undefined
    if (hour !== undefined && isCovered(hour, start, last)) await copy(name)
  }
  for (const name of tileNames(start?.size ?? 0, last.size)) await copy(name)
  const [first, all] = [start?.size ?? 0, last.size - (start?.size ?? 0)]
  const notes = log.names(CHECKPOINTS, `${CHECKPOINTS}${positionText(Math.max(0, first - 1))}`)
  for await (const name of between(notes, noteSize, first, last.size)) await copy(name)
  const segments = log.names(SEGMENTS, `${SEGMENTS}${positionText(first)}`)
  for await (const name of between(segments, (one) => segmentRange(one)?.end, first + 1, last.size)) {
    await copy(name)
    onProgress((segmentRange(name)?.end ?? first) - first, all)
  }
  await write(EXPORT_NAME, new TextEncoder().encode(JSON.stringify({ start: first, end: last.size })))
  await write(LATEST_NAME, new TextEncoder().encode(last.text))
  return { start: first, end: last.size }
}

async function endsOf(log: StoredLog, { from, to }: ExportSpan): Promise<{ start: TimedNote | undefined; last: TimedNote }> {
  const latest = await log.latest()
  if (latest === undefined) throw new NoSealedLog('The log of this tenant has no checkpoint yet.')
  const last = to === undefined ? latest : ((await log.noteSince(Math.ceil((to + SEALED_WITHIN_MS) / 1_000))) ?? latest)
  if (from === undefined) return { start: undefined, last }
  // what was stored since `from` is in no checkpoint before: the last one before that time is the beginning
  const since = await log.noteSince(Math.floor((from - CLOCK_TOLERANCE_MS) / 1_000))
  return { start: await log.noteBefore((since ?? latest).size), last }
}

/** Whether all lanes of an hour are between two checkpoints, as far as the hour was closed when the last one was signed. */
function isCovered(hour: Hour, start: TimedNote | undefined, last: TimedNote): boolean {
  const begin = Date.parse(`${hour}:00:00Z`)
  return closesAt(hour) + 120_000 < last.time * 1_000 && (start === undefined || begin + HOUR_MS > start.time * 1_000)
}

/** All full tiles that an export of these positions needs, and the partial ones at its end. */
function* tileNames(start: number, end: number): Generator<string> {
  for (let level = 0; TILE_WIDTH ** level <= end; level++) {
    const span = TILE_WIDTH ** (level + 1)
    for (let index = Math.floor(start / span); index < Math.floor(end / span); index++)
      yield tileName({ level, index, width: TILE_WIDTH })
  }
  for (const tile of partialTiles(end)) yield tileName(tile)
}

/** The names whose position is from `first` to `last`. Names are in the order of positions. */
async function* between(
  names: AsyncIterable<string>,
  positionOf: (name: string) => number | undefined,
  first: number,
  last: number,
): AsyncGenerator<string> {
  for await (const name of names) {
    const position = positionOf(name)
    if (position === undefined || position < first) continue
    if (position > last) return
    yield name
  }
}
