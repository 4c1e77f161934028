import { SingleBar } from 'cli-progress'
import type { Clock } from '../gateway/model/record.ts'
import { counted } from '../gateway/model/counted.ts'

/** The progress of a long command. It shows counts only, and never names a patient or a file (P8). */
export interface Progress {
  start(totalBytes: number): void
  /** @param now the totals so far, not the increments */
  update(now: { readonly doneBytes: number; readonly patients: number; readonly records: number }): void
  stop(): void
}

export interface ProgressOutput {
  /** A terminal gets a bar. Other streams get lines, because a log must not fill with carriage returns. */
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly now: Clock
}

const LINE_EVERY_MS = 1000

/** Shows progress as a bar on a terminal. On any other stream it writes at most one line per second. */
export function progressOn({ stream, now }: ProgressOutput): Progress {
  return stream.isTTY === true ? bar(stream) : lines(stream, now)
}

function bar(stream: NodeJS.WritableStream): Progress {
  const single = new SingleBar({
    format: '{bar} {percentage}%  {patients}, {records}, {duration_formatted}',
    stream,
    hideCursor: true,
    // with six digits of records, the line fits 80 columns
    barsize: 24,
  })
  return {
    start: (totalBytes) => single.start(totalBytes, 0, texts({ patients: 0, records: 0 })),
    update: ({ doneBytes, patients, records }) => single.update(doneBytes, texts({ patients, records })),
    stop: () => single.stop(),
  }
}

const texts = ({ patients, records }: { readonly patients: number; readonly records: number }) => ({
  patients: counted(patients, 'patient'),
  records: counted(records, 'record'),
})

function lines(stream: NodeJS.WritableStream, now: Clock): Progress {
  let total = 0
  let written = Number.NEGATIVE_INFINITY
  return {
    start: (totalBytes) => {
      total = totalBytes
      written = now()
    },
    update: ({ doneBytes, patients, records }) => {
      if (now() - written < LINE_EVERY_MS) return
      written = now()
      const percent = total === 0 ? 100 : Math.floor((100 * doneBytes) / total)
      stream.write(`${percent}%  ${counted(patients, 'patient')}, ${counted(records, 'record')}\n`)
    },
    stop: () => undefined,
  }
}
