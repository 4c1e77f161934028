import type { EventSink } from './events.ts'
import { causeName } from './events.ts'
import { processFault } from './internal-fault.ts'

/**
 * Reports uncaught errors, unhandled rejections and warnings as events. By default, Node and the Lambda runtime print the
 * message and the stack of an error, and the text of a warning. Those texts can hold any value (P8), so the listeners that print
 * them are removed. After a fault the process exits, because its state is unknown. The runtime then starts a new process and
 * logs only the exit status.
 *
 * Call it once, from an entry point that owns the process.
 */
export function reportProcessFaults(process: NodeJS.Process, events: EventSink): void {
  for (const name of ['uncaughtException', 'unhandledRejection', 'warning']) process.removeAllListeners(name)
  process.on('uncaughtException', (error: unknown) => {
    events(processFault('EXCEPTION', error))
    process.exit(1)
  })
  process.on('unhandledRejection', (reason) => {
    events(processFault('REJECTION', reason))
    process.exit(1)
  })
  process.on('warning', (warning) => events({ event: 'PROCESS_WARNING', cause: causeName(warning) }))
}
