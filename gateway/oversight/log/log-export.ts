import { closesAt, type Hour } from '../../audit/hour.ts'
import { CLOCK_TOLERANCE_MS, HOUR_MS, LINGER_MS } from '../../audit/verify/hour-limits.ts'
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
} from '../../audit/verify/layout.ts'
import { NoSealedLog, type StoredLog, type TimedNote } from './stored-log.ts'

/** An item is sealed at most this long after its time, in milliseconds: it may be stored when its hour closes, and the notary runs each minute. */
const SEALED_WITHIN_MS = LINGER_MS + CLOCK_TOLERANCE_MS + 120_000

/** Milliseconds since the epoch. An end that is absent has no limit. */
interface ExportSpan {
  readonly from?: number
  readonly to?: number
}

/** Writes one file of an export. */
export type WriteFile = (name: string, bytes: Uint8Array) => Promise<void>

/** The part of a log between two checkpoints. */
export interface LogPart {
  /** Number of items before the part and after it. */
  readonly start: number
  readonly end: number
  /** The note of the last checkpoint. */
  readonly note: string
  /** The names of its objects: the policy of the log, policy locks, registries of hours, tiles, checkpoints and segments. */
  readonly names: () => AsyncIterable<string>
}

/**
 * Finds the part of a sealed log that holds all items of a span of time. It begins and ends at checkpoints. It also holds items of other
 * times that were sealed in between.
 *
 * @throws NoSealedLog, StoreUnavailable
 */
export async function logPart(log: StoredLog, span: ExportSpan): Promise<LogPart> {
  // read first: every item of these registries is sealed in the checkpoint that is read next
  const hours: string[] = []
  for await (const name of log.names(HOURS)) hours.push(name)
  const { start, last } = await endsOf(log, span)
  return { start: start?.size ?? 0, end: last.size, note: last.text, names: () => namesOf(log, hours, start, last) }
}

/**
 * Copies the part of a sealed log that holds all items of a span of time. `checkpoint` is written last, so that an interrupted export has
 * none.
 *
 * @param onProgress called after each segment, with the number of items that are copied and the number of all
 * @throws NoSealedLog, StoreUnavailable
 */
export async function exportLog(
  log: StoredLog,
  span: ExportSpan,
  write: WriteFile,
  onProgress: (done: number, all: number) => void,
): Promise<Pick<LogPart, 'start' | 'end'>> {
  const { start, end, note, names } = await logPart(log, span)
  for await (const name of names()) {
    const bytes = await log.read(name)
    if (bytes !== undefined) await write(name, bytes)
    const segment = segmentRange(name)
    if (segment !== undefined) onProgress(segment.end - start, end - start)
  }
  await write(EXPORT_NAME, claimOf({ start, end }))
  await write(LATEST_NAME, new TextEncoder().encode(note))
  return { start, end }
}

/** The content of `export.json`: the positions that an export claims to hold. */
export const claimOf = ({ start, end }: Pick<LogPart, 'start' | 'end'>): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(JSON.stringify({ start, end }))

async function* namesOf(
  log: StoredLog,
  hours: readonly string[],
  start: TimedNote | undefined,
  last: TimedNote,
): AsyncGenerator<string> {
  const first = start?.size ?? 0
  yield POLICY_NAME
  yield* log.names(LOCKS)
  for (const name of hours) {
    // safe: `hourIn` checks the form
    const hour = hourIn(name) as Hour | undefined
    if (hour !== undefined && isCovered(hour, start, last)) yield name
  }
  yield* tileNames(first, last.size)
  const notes = log.names(CHECKPOINTS, `${CHECKPOINTS}${positionText(Math.max(0, first - 1))}`)
  yield* between(notes, noteSize, first, last.size)
  const segments = log.names(SEGMENTS, `${SEGMENTS}${positionText(first)}`)
  yield* between(segments, (one) => segmentRange(one)?.end, first + 1, last.size)
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
