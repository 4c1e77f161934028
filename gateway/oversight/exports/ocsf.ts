import { isIP } from 'node:net'
import { accessDetail, type AccessEvent, type Activity, hasNoPatient, recordsOfEvent, type Result } from './access-event.ts'
import type { ExportRecord } from './item-batches.ts'

/** The version of OCSF whose class `datastore_activity` an event has. */
export const OCSF_VERSION = '1.9.0-dev'

const CLASS = 6005

interface Numbered {
  readonly id: number
  readonly caption: string
}

const READ: Numbered = { id: 1, caption: 'Read' }
const QUERY: Numbered = { id: 4, caption: 'Query' }

const ACTIVITIES: Readonly<Record<Exclude<Activity, 'OTHER' | 'EXPORT'>, Numbered>> = {
  READ,
  // the class has no activity for a disclosure
  DISCLOSE: READ,
  QUERY,
  // of the audit log
  REVIEW: QUERY,
  UPDATE: { id: 2, caption: 'Update' },
  CREATE: { id: 6, caption: 'Create' },
  DELETE: { id: 7, caption: 'Delete' },
}

const SUCCESS: Numbered = { id: 1, caption: 'Success' }
const FAILURE: Numbered = { id: 2, caption: 'Failure' }
const RESULTS: Readonly<Record<Result, { readonly status: Numbered; readonly severity: Numbered }>> = {
  GRANTED: { status: SUCCESS, severity: { id: 1, caption: 'Informational' } },
  REFUSED: { status: FAILURE, severity: { id: 2, caption: 'Low' } },
  FAILED: { status: FAILURE, severity: { id: 3, caption: 'Medium' } },
}

/**
 * An event of the class `datastore_activity`.
 *
 * @source https://schema.ocsf.io/classes/datastore_activity
 */
export function datastoreActivity(event: AccessEvent): object {
  const { activity, result, first, entries } = event
  const { id: activityId, caption } =
    activity === 'OTHER' || activity === 'EXPORT' ? { id: 99, caption: nonEmpty(first.action) ?? 'Other' } : ACTIVITIES[activity]
  const { status, severity } = RESULTS[result]
  const { patient } = first
  return {
    activity_id: activityId,
    activity_name: caption,
    category_uid: 6,
    category_name: 'Application Activity',
    class_uid: CLASS,
    class_name: 'Datastore Activity',
    type_uid: CLASS * 100 + activityId,
    type_name: `Datastore Activity: ${caption}`,
    time: Date.parse(first.time),
    timezone_offset: 0,
    severity_id: severity.id,
    severity: severity.caption,
    status_id: status.id,
    status: status.caption,
    status_code: statusCode(entries),
    metadata: metadataOf(event),
    actor: actorOf(first),
    src_endpoint: endpointOf(first),
    http_request: { uid: first.requestId, user_agent: first.userAgent },
    query_info: queryOf(first),
    database: { name: activity === 'REVIEW' ? 'audit log' : 'records', uid: nonEmpty(first.tenant), type_id: 6, type: 'NoSQL' },
    databucket: bucketOf(first),
    type_id: patient === undefined ? 1 : 2,
    type: patient === undefined ? 'Database' : 'Databucket',
    unmapped: unmappedOf(event),
  }
}

function metadataOf({ id, first, activity }: AccessEvent): object {
  const { tenant, requestId, time, sequence } = first
  return {
    version: OCSF_VERSION,
    product: { name: 'phi-gateway', vendor_name: 'phi-gateway' },
    uid: id,
    event_code: activity,
    log_name: 'audit log',
    log_provider: 'phi-gateway',
    original_time: time,
    tenant_uid: tenant,
    correlation_uid: requestId,
    sequence,
  }
}

function actorOf({ user, roles, organization, mfa, session, authTime, client, app, policy }: ExportRecord): object {
  const org = nonEmpty(organization)
  return {
    user: {
      ...(user === '' ? { name: 'unknown' } : { uid: user }),
      groups: roles.filter((role) => role !== '').map((name) => ({ name })),
      org: org === undefined ? undefined : { uid: org },
      has_mfa: mfa,
    },
    session: session === undefined ? undefined : { uid: session, created_time: timeOf(authTime), is_mfa: mfa },
    app_uid: client,
    app_name: app,
    authorizations: [{ policy: { name: 'policy lock', uid: policy } }],
  }
}

function endpointOf({ sourceIp }: ExportRecord): object {
  const address = nonEmpty(sourceIp)
  if (address === undefined) return { name: 'unknown' }
  // the type of the schema has at most 40 characters; the zone of an IPv6 address can have more
  return isIP(address) > 0 && address.length <= 40 ? { ip: address } : { name: address }
}

/** The records of a patient. */
function bucketOf(first: ExportRecord): object | undefined {
  const { patient } = first
  if (patient === undefined) return undefined
  return { name: hasNoPatient(first) ? 'Requested id' : 'Patient', uid: patient, type_id: 99, type: 'Records of a patient' }
}

/** The log has no text of an operation: an argument can be a value of a patient. */
function queryOf({ operation, operationHash }: ExportRecord): object | undefined {
  const hash = nonEmpty(operationHash)
  return hash === undefined ? undefined : { query_string: `sha256:${hash}`, uid: hash, name: nonEmpty(operation) }
}

function unmappedOf(event: AccessEvent): object {
  const { lane, sequence, index, format, part, parts, traceId, purpose, study, contract, persisted, appVersion } = event.first
  return {
    address: `${lane}/${String(sequence)}/${String(index)}`,
    format,
    part,
    parts,
    traceId,
    purpose,
    study,
    contract,
    persisted,
    appVersion,
    records: recordsOfEvent(event).map(({ type, id, version, entries }) => ({
      type,
      id,
      version,
      accesses: entries.map((entry) => ({ path: entry.path, ...accessDetail(entry) })),
    })),
  }
}

/** Each outcome of the event once, with its reason: `DENIED:ROLE`. */
const statusCode = (entries: readonly ExportRecord[]): string =>
  [...new Set(entries.map(({ outcome, reason }) => (reason === undefined ? outcome : `${outcome}:${reason}`)))].join(' ')

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text)

function timeOf(text: string | undefined): number | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
