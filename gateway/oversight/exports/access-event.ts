import { createHash } from 'node:crypto'
import type { ExportItem, ExportRecord } from './item-batches.ts'

/** The kind of an access. DISCLOSE: a partner received values. */
export type Activity = 'READ' | 'QUERY' | 'CREATE' | 'UPDATE' | 'DELETE' | 'EXPORT' | 'DISCLOSE' | 'REVIEW' | 'OTHER'

/** REFUSED: the gateway gave nothing, by its rules or because the patient was erased. FAILED: it could not give anything. */
export type Result = 'GRANTED' | 'REFUSED' | 'FAILED'

/** The accesses of one request to one patient with one activity and one result, within one item of the log. */
export interface AccessEvent {
  /** 32 hex digits, derived from the address of the first record. Stable for every export of the same records. */
  readonly id: string
  readonly activity: Activity
  readonly result: Result
  /** The first record. It has the circumstances that all records of the item share. */
  readonly first: ExportRecord
  /** In the order of `index`, at least one. */
  readonly entries: readonly ExportRecord[]
}

const ACTIVITIES: Readonly<Record<string, Activity>> = {
  READ: 'READ',
  SEARCH: 'QUERY',
  CREATE: 'CREATE',
  UPDATE: 'UPDATE',
  DELETE: 'DELETE',
  EXPORT: 'EXPORT',
  REVIEW: 'REVIEW',
}

const RESULTS: Readonly<Record<string, Result>> = {
  DISCLOSED: 'GRANTED',
  MASKED: 'GRANTED',
  ABSENT: 'GRANTED',
  WRITTEN: 'GRANTED',
  REVIEWED: 'GRANTED',
  DENIED: 'REFUSED',
  ERASED: 'REFUSED',
  UNAVAILABLE: 'FAILED',
}

/** The accesses of one event: an event of this many has some 200 KB, and transports limit the size of an event. */
const MAX_ACCESSES = 500

/**
 * The events of an item. An item has the records of one request about one patient, so most items are one event. Refused and failed
 * accesses are events of their own: an event has one outcome.
 *
 * An event never spans items. Its id and content therefore depend on the item alone, not on the span of the export or on other requests.
 */
export function accessEvents(item: ExportItem, partnerRoles: ReadonlySet<string>): readonly AccessEvent[] {
  const groups = Map.groupBy(item, (entry) =>
    JSON.stringify([entry.requestId, entry.patient, activityOf(entry, partnerRoles), resultOf(entry)]),
  )
  return [...groups.values()].flatMap(chunks).flatMap((entries) => {
    const [first] = entries
    if (first === undefined) return []
    return [{ id: eventId(first), activity: activityOf(first, partnerRoles), result: resultOf(first), first, entries }]
  })
}

const chunks = (entries: readonly ExportRecord[]): readonly (readonly ExportRecord[])[] =>
  Array.from({ length: Math.ceil(entries.length / MAX_ACCESSES) }, (_, at) =>
    entries.slice(at * MAX_ACCESSES, (at + 1) * MAX_ACCESSES),
  )

function activityOf(entry: ExportRecord, partnerRoles: ReadonlySet<string>): Activity {
  return isDisclosure(entry, partnerRoles) ? 'DISCLOSE' : ownValue(ACTIVITIES, entry.action, 'OTHER')
}

/** An outcome that this version does not know is no success. */
const resultOf = ({ outcome }: ExportRecord): Result => ownValue(RESULTS, outcome, 'FAILED')

/** A partner that received a value of a patient. An absent value is none. */
function isDisclosure({ action, outcome, patient, roles }: ExportRecord, partnerRoles: ReadonlySet<string>): boolean {
  const isGiven = outcome === 'DISCLOSED' || outcome === 'MASKED'
  const isRead = action === 'READ' || action === 'SEARCH' || action === 'EXPORT'
  return patient !== undefined && isGiven && isRead && roles.some((role) => partnerRoles.has(role))
}

function ownValue<T>(table: Readonly<Record<string, T>>, name: string, otherwise: T): T {
  return Object.hasOwn(table, name) ? (table[name] ?? otherwise) : otherwise
}

function eventId({ tenant, lane, sequence, index }: ExportRecord): string {
  const hash = createHash('sha256').update(`phi-gateway/audit-event/v1\n${tenant}\n${lane}/${String(sequence)}/${String(index)}`)
  return hash.digest('hex').slice(0, 32)
}

/** Whether `patient` is a hash of a requested id, and no patient has the id. */
export const hasNoPatient = ({ outcome, reason }: ExportRecord): boolean => outcome === 'DENIED' && reason === 'NOT_FOUND'

/** The accesses of an event to one record, or those that are to no record. */
export interface RecordAccesses {
  readonly type?: string
  readonly id?: string
  readonly version?: number
  readonly entries: readonly ExportRecord[]
}

/** The records of an event, in the order of their first access. */
export function recordsOfEvent({ entries }: AccessEvent): readonly RecordAccesses[] {
  const groups = Map.groupBy(entries, ({ recordType, recordId, recordVersion }) =>
    JSON.stringify(recordId === undefined ? [] : [recordType, recordId, recordVersion]),
  )
  return [...groups.values()].map((accesses) => {
    const { recordType, recordId, recordVersion } = accesses[0] ?? {}
    if (recordId === undefined) return { entries: accesses }
    return {
      ...(recordType !== undefined && { type: recordType }),
      id: recordId,
      ...(recordVersion !== undefined && { version: recordVersion }),
      entries: accesses,
    }
  })
}

/** The members of one access in the export form, without those of its item and its record. */
export function accessDetail(entry: ExportRecord): object {
  const { outcome, action, view, reason, rule, basis, basisId, since, limits, count, paths, listed, origin } = entry
  return { outcome, action, view, reason, rule, basis, basisId, since, limits, count, paths, listed, origin }
}
