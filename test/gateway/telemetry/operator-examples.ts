import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordId, RequestId, TenantId } from '../../../gateway/model/ids.ts'

export const REQUEST = 'AQIDBAUGAYvP5WgAAQIDBAUG' as RequestId
const tenant = 'riverside' as TenantId
const lane = 'AQIDBAUG.1'
const record = {
  type: 'Observation' as TypeName,
  patient: 'AAAAAAAAAAAAAAAAAAAAAA' as PatientId,
  id: 'BBBBBBBBBBBBBBBBBBBBBB' as RecordId,
}
const frames = ['Lane.submit gateway/audit/lane.ts:97:10', 'node:internal/process/task_queues:105:5']

/** One event of each kind, with all of its fields. The type requires every name. */
const ALL: { readonly [Name in GatewayEvent['event']]: Extract<GatewayEvent, { event: Name }> } = {
  REQUEST: {
    event: 'REQUEST',
    requestId: REQUEST,
    status: 200,
    milliseconds: 41,
    resolved: 30,
    denied: 10,
    unavailable: 2,
    metadata: 7,
    searched: 3,
  },
  INTEGRITY_FAILURE: { event: 'INTEGRITY_FAILURE', requestId: REQUEST, tenant, record, path: 'Observation.code' as SchemaPath },
  CHART_FAULT: { event: 'CHART_FAULT', tenant, patient: 'AAAAAAAAAAAAAAAAAAAAAA', record, what: 'ROLLED_BACK' },
  SCRUB_PASS: {
    event: 'SCRUB_PASS',
    tenant,
    records: 4_711,
    patients: 40,
    faulty: 1,
    busy: 2,
    left: 3,
    milliseconds: 900,
  },
  ERASURE_UNFINISHED: { event: 'ERASURE_UNFINISHED', tenant, count: 2 },
  KEY_ROTATION_DUE: { event: 'KEY_ROTATION_DUE', tenant, count: 4 },
  SCRUB_FAILED: { event: 'SCRUB_FAILED', tenant, cause: 'TimeoutError' },
  ACCESS_ITEM_FORGED: { event: 'ACCESS_ITEM_FORGED', tenant, patient: 'AAAAAAAAAAAAAAAAAAAAAA', what: 'NOT_LISTED' },
  BREAK_GLASS: { event: 'BREAK_GLASS', requestId: REQUEST, tenant, patient: 'AAAAAAAAAAAAAAAAAAAAAA', what: 'BROKEN' },
  KEY_UNAVAILABLE: { event: 'KEY_UNAVAILABLE', requestId: REQUEST, tenant, cause: 'DisabledException' },
  STORE_UNAVAILABLE: { event: 'STORE_UNAVAILABLE', requestId: REQUEST, tenant, cause: 'TimeoutError' },
  BUDGET_EXCEEDED: { event: 'BUDGET_EXCEEDED', tenant, budget: 'SEARCHES', count: 1 },
  UNREGISTERED_OPERATION: { event: 'UNREGISTERED_OPERATION', requestId: REQUEST, tenant, client: 'web', hash: '5f'.repeat(32) },
  AUTH_FAILURES: { event: 'AUTH_FAILURES', count: 7 },
  AUTH_FAILURES_UNWRITTEN: { event: 'AUTH_FAILURES_UNWRITTEN', cause: 'TimeoutError', lost: 2 },
  ISSUER_KEYS: { event: 'ISSUER_KEYS', what: 'NOT_KEPT', cause: 'TimeoutError' },
  ISSUER_KEYS_FORGED: { event: 'ISSUER_KEYS_FORGED' },
  AUDIT_REFUSED: { event: 'AUDIT_REFUSED', tenant, lane, cause: 'AccessDeniedException' },
  AUDIT_LANE_RETIRED: { event: 'AUDIT_LANE_RETIRED', tenant, lane, sequence: 12, why: 'FENCED' },
  NOTARY_PASS: { event: 'NOTARY_PASS', tenant, sealed: 31, rounds: 1, late: 2, lag: 61, milliseconds: 240 },
  NOTARY_FAILED: { event: 'NOTARY_FAILED', tenant, cause: 'TimeoutError' },
  NOTARY_STOPPED: { event: 'NOTARY_STOPPED', tenant, what: 'CHECKPOINT' },
  AUDIT_LANE_FAULT: { event: 'AUDIT_LANE_FAULT', tenant, lane, sequence: 12, what: 'GAP' },
  WITNESS_FAILED: { event: 'WITNESS_FAILED', tenant, what: 'CONFLICT' },
  TABLES_PASS: { event: 'TABLES_PASS', tenant, added: 120, behind: 40, size: 4_711, files: 9, milliseconds: 800 },
  AUDIT_READ_FAILED: { event: 'AUDIT_READ_FAILED', requestId: REQUEST, tenant, cause: 'AccessDenied' },
  ACCESS_REVIEW_OVERDUE: { event: 'ACCESS_REVIEW_OVERDUE', tenant, count: 2 },
  ACCESS_REVIEWS_UNREAD: { event: 'ACCESS_REVIEWS_UNREAD', tenant, cause: 'TimeoutError' },
  TABLES_FAILED: { event: 'TABLES_FAILED', tenant, cause: 'MalformedSegment' },
  DELIVERY_PASS: {
    event: 'DELIVERY_PASS',
    receiver: 'soc',
    tenant,
    items: 120,
    batches: 3,
    behind: 40,
    lag: 75,
    milliseconds: 900,
  },
  DELIVERY_FAILED: { event: 'DELIVERY_FAILED', receiver: 'soc', tenant, cause: 'ServiceUnavailableException' },
  AUDIT_WATCHED: { event: 'AUDIT_WATCHED', records: 3 },
  AUDIT_CHANGED: { event: 'AUDIT_CHANGED', tenant, lane, what: 'REMOVE' },
  INTERNAL: { event: 'INTERNAL', requestId: REQUEST, cause: 'RangeError', frames },
  PROCESS_FAULT: { event: 'PROCESS_FAULT', why: 'REJECTION', cause: 'TypeError', frames },
  PROCESS_WARNING: { event: 'PROCESS_WARNING', cause: 'MaxListenersExceededWarning' },
}

export const EVENTS = Object.values(ALL) as [GatewayEvent, ...GatewayEvent[]]

/** The events of a request in order, its end last. */
export const BARE_EVENTS: readonly GatewayEvent[] = [...EVENTS.slice(1), ALL.REQUEST]
