import { SingleBar } from 'cli-progress'

/** The progress of a command over the positions of a log. */
interface PositionProgress {
  readonly update: (done: number, all: number) => void
  readonly stop: () => void
}

const LINE_EVERY_MS = 1_000

/**
 * Shows progress as a bar on a terminal. On any other stream it writes at most one line per second.
 *
 * @param what the unit, such as `items verified`
 */
export function positionProgress(stream: NodeJS.WritableStream & { readonly isTTY?: boolean }, what: string): PositionProgress {
  if (stream.isTTY !== true) return lines(stream, what)
  const bar = new SingleBar({
    format: `{bar} {percentage}%  {value} of {total} ${what}, {duration_formatted}`,
    stream,
    hideCursor: true,
    // with seven digits of items, the line fits 80 columns
    barsize: 24,
  })
  let isStarted = false
  return {
    update: (done, all) => {
      if (!isStarted) bar.start(all, 0)
      isStarted = true
      bar.update(done)
    },
    stop: () => bar.stop(),
  }
}

function lines(stream: NodeJS.WritableStream, what: string): PositionProgress {
  let written = performance.now()
  return {
    update: (done, all) => {
      if (performance.now() - written < LINE_EVERY_MS) return
      written = performance.now()
      stream.write(`${all === 0 ? 100 : Math.floor((100 * done) / all)}%  ${done} of ${all} ${what}\n`)
    },
    stop: () => undefined,
  }
}
