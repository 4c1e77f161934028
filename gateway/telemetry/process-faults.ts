import type { EventSink } from './events.ts'
import { causeName } from './events.ts'
import { processFault } from './internal-fault.ts'

/**
 * What Node and Lambda's runtime would print by themselves: the message and the stack of whatever was thrown and not caught, and
 * the text of every warning. Anything may stand in those (P8), so the listeners that print are taken off, and an event is
 * told in their place. After a fault the process ends: nobody knows what state it is in, and the runtime starts another, which
 * says no more than the exit status.
 *
 * Called once, by an entry point that has the process to itself.
 */
export function tellProcessFaults(process: NodeJS.Process, events: EventSink): void {
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
