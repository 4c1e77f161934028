import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { RecordLabel } from '../../directives/policy.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import type { IndexEntry } from '../crypto/sealed-index.ts'
import { dateSpan, precisionOf } from '../model/date-span.ts'
import type { Deadline } from '../model/deadline.ts'
import { IntegrityFailure } from '../model/failures.ts'
import { type PatientId, type RecordId, type RecordRef, recordKey, type TenantId } from '../model/ids.ts'
import { type ListedPage, type ListPosition, type ListRequest, newestFirst } from '../model/list.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import { passes } from './patient-index.ts'
import type { FoundRecord, LoadOptions, RecordSource } from './record-source.ts'

/** The records that a request asks another system for. */
export interface UpstreamQuestion {
  readonly tenant: TenantId
  readonly records: readonly RecordRef[]
  /** The names of the granted fields. The system should return no other. */
  readonly fields: readonly string[]
  /** Ends the call when the request has no time left. */
  readonly signal: AbortSignal
}

/** A record of another system. */
export interface UpstreamRecord {
  readonly id: RecordId
  readonly patient: PatientId
  /** A number that grows with each change, from 1. The audit names it. */
  readonly version: number
  /** By field name. A value of a field that was not asked for is dropped. */
  readonly values: Readonly<Record<string, Json | undefined>>
  /** The values of fields with `@notPhi`, by field name. */
  readonly open?: Readonly<Record<string, Json>>
  /**
   * The sensitivities of the record, empty if it has none. Consents close the record by them, when it is listed and when it is read by its
   * id. Both answers must therefore have the same ones.
   */
  readonly labels: readonly string[]
}

/** An entry of the list of a patient's records. */
export interface UpstreamEntry extends Pick<UpstreamRecord, 'id' | 'version' | 'labels'> {
  /** ISO 8601: a time with its offset, or a date of the form `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. */
  readonly date?: string
  readonly codes?: readonly string[]
  readonly categories?: readonly string[]
}

/** Another system that keeps records, such as a REST server or a table. */
export interface UpstreamSystem {
  /** Returns those of the records that exist. @throws StoreUnavailable */
  load(question: UpstreamQuestion): Promise<readonly UpstreamRecord[]>
  /**
   * Returns all records of a type of one patient, in any order. An incomplete list is an error.
   *
   * @throws StoreUnavailable, IntegrityFailure
   */
  list(question: {
    readonly tenant: TenantId
    readonly type: TypeName
    readonly patient: PatientId
    readonly signal: AbortSignal
  }): Promise<readonly UpstreamEntry[]>
}

/**
 * A source of records over another system. It drops each record and each value that was not asked for, sorts and filters the list, and
 * leaves out what is closed to the caller. A record without labels does not open, and a list with one is refused.
 */
export function upstreamSource(system: UpstreamSystem): RecordSource {
  return {
    async load(
      tenant: TenantId,
      refs: readonly RecordRef[],
      paths: ReadonlySet<SchemaPath>,
      { deadline }: LoadOptions,
    ): Promise<readonly FoundRecord[]> {
      const byType = Map.groupBy(refs, ({ type }) => type)
      const found = await Promise.all(
        [...byType].map(async ([type, records]) => {
          const own = [...paths].filter((path) => path.startsWith(`${type}.`))
          const fields = own.map(fieldOf)
          const answered = await system.load({ tenant, records, fields, signal: deadline.signal })
          const asked = new Map(records.map((ref) => [recordKey(ref), ref]))
          const byKey = Map.groupBy(answered, ({ patient, id }) => recordKey({ type, patient, id }))
          return [...byKey].flatMap(([key, [record, ...others]]) => {
            const ref = asked.get(key)
            if (ref === undefined || record === undefined) return []
            return [others.length > 0 ? repeatedRecord(ref) : foundRecord(ref, record, new Set(fields))]
          })
        }),
      )
      return found.flat()
    },
    async list(tenant: TenantId, request: ListRequest, _counter: OpeningCounter, deadline: Deadline): Promise<ListedPage> {
      const { type, patient } = request
      return pageOf(await system.list({ tenant, type, patient, signal: deadline.signal }), request)
    },
  }
}

/** The name of a field: `tooth` for `Treatment.tooth`. */
const fieldOf = (path: SchemaPath): string => path.slice(path.indexOf('.') + 1)

/** Two records of one id can differ in labels and values, and nothing tells which one is right. Neither opens. */
const repeatedRecord = (ref: RecordRef): FoundRecord => ({
  ref,
  open: () => {
    throw new IntegrityFailure()
  },
})

function foundRecord(ref: RecordRef, record: UpstreamRecord, asked: ReadonlySet<string>): FoundRecord {
  const valueOf = (path: SchemaPath): Json | undefined => {
    const field = fieldOf(path)
    return asked.has(field) && Object.hasOwn(record.values, field) ? (record.values[field] ?? undefined) : undefined
  }
  return {
    ref,
    open: (counter) => {
      requireVersion(record)
      const metadata: RecordMetadata = { open: record.open ?? {}, references: {}, labels: labelsOf(record) }
      counter.metadata++
      return {
        version: record.version,
        metadata,
        maxBytes: (path) => {
          const value = valueOf(path)
          return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value))
        },
        value: (path) => {
          const value = valueOf(path)
          if (value !== undefined) counter.fields++
          return value
        },
      }
    },
  }
}

function pageOf(entries: readonly UpstreamEntry[], { size, after, filter, closure }: ListRequest): ListedPage {
  // a record that is listed twice, with a label and without it, would be closed and open
  if (new Set(entries.map(({ id }) => id)).size < entries.length) throw new IntegrityFailure()
  const matching = entries
    .map(indexEntry)
    .filter((entry) => (after === undefined || newestFirst(after, entry) < 0) && passes(filter, entry))
    .toSorted(newestFirst)
  const items: { position: ListPosition; version: number }[] = []
  const leftOut: ListedPage['leftOut'][number][] = []
  for (const entry of matching) {
    const { date, id, version } = entry
    const reason = closure.closedBy(entry)
    if (reason !== undefined) leftOut.push({ id, version, reason })
    // one more than the page shows whether another page exists
    else if (items.push({ position: { date, id }, version }) > size) break
  }
  return { items: items.slice(0, size), leftOut, more: items.length > size }
}

/** @throws IntegrityFailure for a text that is no date, for a version that is no number from 1, and without labels */
function indexEntry(entry: UpstreamEntry): IndexEntry {
  requireVersion(entry)
  const { id, version, date, codes = [], categories = [] } = entry
  const rest = { id, version, codes, categories, labels: labelsOf(entry) }
  if (date === undefined) return { ...rest, date: '' }
  const span = dateSpan(date)
  if (span === undefined) throw new IntegrityFailure()
  const datePrecision = precisionOf(date)
  return { ...rest, date: new Date(span.from).toISOString(), ...(datePrecision !== undefined && { datePrecision }) }
}

/**
 * A missing list of labels is no empty one: a record that is closed by a label would open without it.
 *
 * @throws IntegrityFailure
 */
function labelsOf({ labels }: Pick<UpstreamRecord, 'labels'>): readonly RecordLabel[] {
  // the type requires labels, and an answer that was not checked can still lack them
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === 'string')) throw new IntegrityFailure()
  return labels as readonly RecordLabel[]
}

/** Version 0 is that of an erased record. */
function requireVersion({ version }: Pick<UpstreamRecord, 'version'>): void {
  if (!Number.isSafeInteger(version) || version < 1) throw new IntegrityFailure()
}
