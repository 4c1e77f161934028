import type { TableFile } from './manifest.ts'

/** A checkpoint can be signed this long after its time, in milliseconds. */
const SETTLED_MS = 300_000

const HOUR_LENGTH = 'YYYY-MM-DDTHH'.length
const DAY_LENGTH = 'YYYY-MM-DD'.length

/**
 * The bucket of items that were sealed at a time: the hour, or the day if the day is over. `2026-11-28T17` or `2026-11-28`.
 *
 * @param sealed seconds since the epoch
 * @param now milliseconds since the epoch
 */
export function bucketOf(sealed: number, now: number): string {
  const [text, today] = [new Date(sealed * 1_000).toISOString(), new Date(now - SETTLED_MS).toISOString()]
  return text.slice(0, text.slice(0, DAY_LENGTH) < today.slice(0, DAY_LENGTH) ? DAY_LENGTH : HOUR_LENGTH)
}

/** Whether an hour or a day is over. */
const isOver = (bucket: string, now: number): boolean => bucket < new Date(now - SETTLED_MS).toISOString().slice(0, bucket.length)

/**
 * The first files that belong together in one file: neighbors of one hour or one day that is over.
 *
 * @param maxRows of the file that they become
 * @returns the positions `[first, end)` in `files`, two files or more; undefined if nothing is to be done
 */
export function planCompaction(files: readonly TableFile[], now: number, maxRows: number): readonly [number, number] | undefined {
  let [first, rows, bucket] = [0, 0, '']
  for (const [at, file] of files.entries()) {
    const own = bucketOf(file.sealed[0], now)
    if (own === bucket && rows + file.rows <= maxRows) {
      rows += file.rows
      continue
    }
    if (at - first > 1 && isOver(bucket, now)) return [first, at]
    ;[first, rows, bucket] = [at, file.rows, own]
  }
  return files.length - first > 1 && isOver(bucket, now) ? [first, files.length] : undefined
}
