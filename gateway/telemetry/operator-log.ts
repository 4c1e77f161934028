import { LogFormatter, Logger, LogItem } from '@aws-lambda-powertools/logger'
import type { EventSink, GatewayEvent } from './events.ts'
import {
  cause,
  client,
  type FieldPrinter,
  frames,
  hash,
  lane,
  number,
  path,
  patient,
  record,
  request,
  tenant,
  word,
} from './operator-fields.ts'

/** Prints one line on a stream of the process and adds the line break. */
export type PrintLine = (line: string, stream: 'stdout' | 'stderr') => void

export type Level = 'info' | 'warn' | 'error' | 'critical'
type EventOf<Name extends GatewayEvent['event']> = Extract<GatewayEvent, { event: Name }>
interface Line<Name extends GatewayEvent['event']> {
  readonly level: Level
  /** One printer for every field of the event, so that no field is printed unchecked. */
  readonly fields: Readonly<Record<Exclude<keyof EventOf<Name>, 'event'>, FieldPrinter>>
}

/** The line of each event. A new event, or a new field of an event, does not compile until it is listed here. */
const LINES: { readonly [Name in GatewayEvent['event']]: Line<Name> } = {
  REQUEST: {
    level: 'info',
    fields: {
      requestId: request,
      status: number,
      milliseconds: number,
      resolved: number,
      denied: number,
      unavailable: number,
      metadata: number,
      searched: number,
    },
  },
  INTEGRITY_FAILURE: { level: 'critical', fields: { requestId: request, tenant, record, path } },
  CHART_FAULT: { level: 'critical', fields: { tenant, patient, record, what: word } },
  SCRUB_PASS: {
    level: 'info',
    fields: { tenant, records: number, patients: number, faulty: number, busy: number, left: number, milliseconds: number },
  },
  ERASURE_UNFINISHED: { level: 'warn', fields: { tenant, count: number } },
  KEY_ROTATION_DUE: { level: 'warn', fields: { tenant, count: number } },
  SCRUB_FAILED: { level: 'error', fields: { tenant, cause } },
  ACCESS_ITEM_FORGED: { level: 'critical', fields: { tenant, patient, what: word } },
  BREAK_GLASS: { level: 'warn', fields: { requestId: request, tenant, patient, what: word } },
  KEY_UNAVAILABLE: { level: 'error', fields: { requestId: request, tenant, cause } },
  STORE_UNAVAILABLE: { level: 'error', fields: { requestId: request, tenant, cause } },
  BUDGET_EXCEEDED: { level: 'warn', fields: { tenant, budget: word, count: number } },
  UNREGISTERED_OPERATION: { level: 'info', fields: { requestId: request, tenant, client, hash } },
  AUTH_FAILURES: { level: 'info', fields: { count: number } },
  AUTH_FAILURES_UNWRITTEN: { level: 'error', fields: { cause, lost: number } },
  ISSUER_KEYS: { level: 'error', fields: { what: word, cause } },
  ISSUER_KEYS_FORGED: { level: 'critical', fields: {} },
  AUDIT_REFUSED: { level: 'error', fields: { tenant, lane, cause } },
  AUDIT_LANE_RETIRED: { level: 'error', fields: { tenant, lane, sequence: number, why: word } },
  NOTARY_PASS: {
    level: 'info',
    fields: { tenant, sealed: number, rounds: number, late: number, lag: number, milliseconds: number },
  },
  NOTARY_FAILED: { level: 'error', fields: { tenant, cause } },
  NOTARY_STOPPED: { level: 'critical', fields: { tenant, what: word } },
  AUDIT_LANE_FAULT: { level: 'critical', fields: { tenant, lane, sequence: number, what: word } },
  WITNESS_FAILED: { level: 'error', fields: { tenant, what: word } },
  TABLES_PASS: {
    level: 'info',
    fields: { tenant, added: number, behind: number, size: number, files: number, milliseconds: number },
  },
  AUDIT_READ_FAILED: { level: 'error', fields: { requestId: request, tenant, cause } },
  ACCESS_REVIEW_OVERDUE: { level: 'warn', fields: { tenant, count: number } },
  ACCESS_REVIEWS_UNREAD: { level: 'error', fields: { tenant, cause } },
  TABLES_FAILED: { level: 'error', fields: { tenant, cause } },
  DELIVERY_PASS: {
    level: 'info',
    fields: { receiver: client, tenant, items: number, batches: number, behind: number, lag: number, milliseconds: number },
  },
  DELIVERY_FAILED: { level: 'error', fields: { receiver: client, tenant, cause } },
  AUDIT_WATCHED: { level: 'info', fields: { records: number } },
  AUDIT_CHANGED: { level: 'critical', fields: { tenant, lane, what: word } },
  INTERNAL: { level: 'error', fields: { requestId: request, cause, frames } },
  PROCESS_FAULT: { level: 'critical', fields: { why: word, cause, frames } },
  PROCESS_WARNING: { level: 'warn', fields: { cause } },
}

/** The stream of an event's lines. Errors have a stream of their own, so that operators can read only those. */
export function streamOf(event: GatewayEvent['event']): 'stdout' | 'stderr' {
  const { level } = LINES[event]
  return level === 'error' || level === 'critical' ? 'stderr' : 'stdout'
}

/** The fields of an event in their printed form. A property that the event does not declare is left out. */
export function printedFields(event: GatewayEvent): {
  readonly level: Level
  readonly fields: Readonly<Record<string, ReturnType<FieldPrinter>>>
} {
  const { level, fields } = LINES[event.event]
  const printed: Record<string, ReturnType<FieldPrinter>> = {}
  for (const [name, show] of Object.entries<FieldPrinter>(fields)) {
    const value: unknown = (event as Readonly<Record<string, unknown>>)[name]
    if (value !== undefined) printed[name] = show(value)
  }
  return { level, fields: printed }
}

/** The log for operators. It accepts only typed events, so that no code can print a value by mistake (P8). */
export function operatorLog(stage: string, print: PrintLine): EventSink {
  const logger = new EventLogger(print, new EventFormatter(stage))
  return (event) => {
    const { level, fields } = printedFields(event)
    logger[level](event.event, fields)
  }
}

/**
 * Prints only the event. Powertools' own formatter adds environment variables of Lambda and X-Ray, and a client can set some of
 * their values.
 */
class EventFormatter extends LogFormatter {
  readonly #stage: string

  constructor(stage: string) {
    super()
    this.#stage = stage
  }

  override formatAttributes(...[{ logLevel, message, timestamp }, fields]: Parameters<LogFormatter['formatAttributes']>): LogItem {
    const attributes = {
      level: logLevel,
      message,
      timestamp: this.formatTimestamp(timestamp),
      service: 'phi-gateway',
      stage: this.#stage,
      ...fields,
    }
    return new LogItem({ attributes })
  }
}

/** Prints one line for each event on its stream. POWERTOOLS_DEV, POWERTOOLS_LOG_LEVEL and the sample rate have no effect. */
class EventLogger extends Logger {
  readonly #print: PrintLine

  constructor(print: PrintLine, logFormatter: LogFormatter) {
    super({ serviceName: 'phi-gateway', logLevel: 'INFO', sampleRateValue: 0, logFormatter })
    this.#print = print
  }

  protected override printLog(_level: number, item: LogItem): void {
    item.prepareForPrint()
    const { message } = item.getAttributes() as { readonly message?: unknown }
    // Powertools also logs its own messages, for example about log levels. They are not events.
    if (typeof message !== 'string' || !isEventName(message)) return
    this.#print(JSON.stringify(item.getAttributes()), streamOf(message))
  }
}

function isEventName(text: string): text is GatewayEvent['event'] {
  return Object.hasOwn(LINES, text)
}
