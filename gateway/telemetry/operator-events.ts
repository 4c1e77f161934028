import type { EventSink } from './events.ts'
import type { Clock } from '../model/record.ts'
import { isWithoutPatients } from '../model/stage.ts'
import { operatorLog, type PrintLine } from './operator-log.ts'
import { operatorMetrics } from './operator-metrics.ts'
import { readableLog } from './readable-log.ts'

export interface OperatorEventsOptions {
  readonly stage: string
  readonly now: Clock
  readonly print?: PrintLine
  /**
   * `text` prints readable lines and no metrics, if the stage has no data of patients. On any other stage, and for any other value, the
   * output has the form for operators: an alarm must not depend on this setting.
   */
  readonly format?: string | undefined
}

/**
 * The output of a process for its operators: a log line for each event, and metrics. Apart from the command line and the local
 * stack, no other code prints.
 */
export function operatorEvents(options: OperatorEventsOptions): EventSink {
  const { stage, now, print = toProcess, format = process.env['PHI_LOG'] } = options
  if (format === 'text' && isWithoutPatients(stage)) return readableLog({ now, print })
  const sinks = [operatorLog(stage, print), operatorMetrics(stage, { now, print })]
  return (event) => {
    for (const sink of sinks) sink(event)
  }
}

function toProcess(line: string, stream: 'stdout' | 'stderr'): void {
  process[stream].write(`${line}\n`)
}
