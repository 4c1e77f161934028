import type { EventSink } from './events.ts'
import type { Clock } from '../model/record.ts'
import { operatorLog, type PrintLine } from './operator-log.ts'
import { operatorMetrics } from './operator-metrics.ts'

/**
 * The output of a process for its operators: a log line for each event, and metrics. Apart from the command line and the local
 * stack, no other code prints.
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
