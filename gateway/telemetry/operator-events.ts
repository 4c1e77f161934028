import type { EventSink } from './events.ts'
import type { Clock } from '../model/record.ts'
import { operatorLog, type PrintLine } from './operator-log.ts'
import { operatorMetrics } from './operator-metrics.ts'

/**
 * What operators get of a process: each event as a log line, and metrics. Besides the command line and the local stack, this is
 * all that ever prints.
 */
export function operatorEvents({ stage, now, print = toProcess }: { stage: string; now: Clock; print?: PrintLine }): EventSink {
  const sinks = [operatorLog(stage, print), operatorMetrics(stage, { now, print })]
  return (event) => {
    for (const sink of sinks) sink(event)
  }
}

function toProcess(line: string, stream: 'stdout' | 'stderr'): void {
  process[stream].write(`${line}\n`)
}
