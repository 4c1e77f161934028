import type { EventSink, GatewayEvent } from './events.ts'
import type { Clock } from '../model/record.ts'
import { type Level, type PrintLine, printedFields, streamOf } from './operator-log.ts'

/** The sentence of each event, or null for events that report only that work went on. A new event does not compile until it is listed. */
const SENTENCES: Readonly<Record<Exclude<GatewayEvent['event'], 'REQUEST'>, string | null>> = {
  INTEGRITY_FAILURE: 'A sealed value or record was altered, moved or removed. Nothing of it was shown.',
  CHART_FAULT: 'Records, index and audit of a patient disagree. Another writer changed one of them.',
  SCRUB_PASS: null,
  ERASURE_UNFINISHED: 'Approved erasures are not finished. A privacy officer can finish them.',
  KEY_ROTATION_DUE: 'Keys of a tenant are due for rotation.',
  SCRUB_FAILED: 'The stored records were not compared with the audit of writes.',
  ACCESS_ITEM_FORGED: 'An access item of a patient was altered. It gives no access.',
  BREAK_GLASS: 'A break-glass grant changed.',
  KEY_UNAVAILABLE: 'KMS did not open a key.',
  STORE_UNAVAILABLE: 'DynamoDB did not answer.',
  BUDGET_EXCEEDED: 'A user reached the hourly limit. Further requests of this kind are refused.',
  UNREGISTERED_OPERATION: 'A client sent an operation that is not registered. It was answered.',
  AUTH_FAILURES: null,
  AUTH_FAILURES_UNWRITTEN: 'The counts of failed authentications could not be written.',
  ISSUER_KEYS: 'The stored keys of the identity provider could not be used.',
  ISSUER_KEYS_FORGED: 'The stored keys of the identity provider were altered. They were ignored.',
  AUDIT_REFUSED: 'The audit log refused a record. Its request got no data.',
  AUDIT_LANE_RETIRED: 'A lane of the audit log takes no more records. The next request opens another one.',
  NOTARY_PASS: null,
  NOTARY_FAILED: 'The notary did not finish its pass. The next pass continues.',
  NOTARY_STOPPED: 'The notary signs nothing more: the log differs from the published one.',
  AUDIT_LANE_FAULT: 'The notary does not seal a lane any further: an item is missing or altered.',
  WITNESS_FAILED: 'A witness did not cosign the log.',
  TABLES_PASS: null,
  AUDIT_READ_FAILED: 'The audit log could not be read. The question got no answer.',
  ACCESS_REVIEW_OVERDUE: 'Access reviews are overdue.',
  ACCESS_REVIEWS_UNREAD: 'The due dates of access reviews could not be read.',
  TABLES_FAILED: 'The audit tables were not updated. The next pass continues.',
  DELIVERY_PASS: null,
  DELIVERY_FAILED: 'The audit log was not delivered. The next pass continues.',
  AUDIT_WATCHED: null,
  AUDIT_CHANGED: 'An item of the audit table was changed or removed.',
  INTERNAL: 'The gateway failed while it handled a request. The request got no data.',
  PROCESS_FAULT: 'An error reached the end of the process.',
  PROCESS_WARNING: 'Node printed a warning.',
}

/**
 * The log for a person at a terminal: one line for each request, warning and fault, and no metrics. It prints the same checked
 * fields as the log for operators (P8).
 */
export function readableLog({ now, print }: { now: Clock; print: PrintLine }): EventSink {
  return (event) => {
    const text = event.event === 'REQUEST' ? requestText(event) : eventText(event)
    if (text !== undefined) print(`${timeOfDay(now())}  ${text}`, streamOf(event.event))
  }
}

function requestText(event: Extract<GatewayEvent, { event: 'REQUEST' }>): string {
  const { status, milliseconds, resolved, denied, unavailable, requestId } = printedFields(event).fields
  const counts = [`${String(resolved)} resolved`, `${String(denied)} denied`]
  if (unavailable !== 0) counts.push(`${String(unavailable)} unavailable`)
  const duration = `${String(milliseconds)} ms`.padStart(7)
  return `${String(status)} ${duration}  ${counts.join(', ')}  ${String(requestId)}`
}

function eventText(event: Exclude<GatewayEvent, { event: 'REQUEST' }>): string | undefined {
  const sentence = SENTENCES[event.event]
  if (sentence === null) return undefined
  const { level, fields } = printedFields(event)
  const details = Object.entries(fields).map(
    ([name, value]) => `${name}=${Array.isArray(value) ? value.join(' < ') : String(value)}`,
  )
  return [MARKS[level] + sentence, `(${[event.event, ...details].join(' ')})`].join(' ')
}

const MARKS: Readonly<Record<Level, string>> = { info: '', warn: 'warning: ', error: 'error: ', critical: 'CRITICAL: ' }

/** The local time, as `14:05:09`. */
const timeOfDay = (at: number): string => new Date(at).toTimeString().slice(0, 8)
