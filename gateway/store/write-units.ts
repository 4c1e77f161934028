import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { TimedAccess } from '../audit/entry.ts'
import { MAX_ACTIONS } from '../audit/submission.ts'
import type { IndexEntry } from '../crypto/sealed-index.ts'
import type { Instant, PatientId, RecordRef } from '../model/ids.ts'
import type { AccessChange, ConsentsChange, MembershipChange } from './access.ts'
import type { AccessWriter } from './access-writer.ts'
import type { IndexWriter } from './index-writer.ts'
import { chunksAfter } from './patient-index.ts'

/** The upper bound of one transaction, in bytes, with room for names and keys. */
const TRANSACTION_BYTES = 3_000_000
const ACCESS_AT_ONCE = 25
/** The length of a write's record in the audit besides its paths, at most, and the length at which an audit item is full. */
const AUDIT_RECORD_BYTES = 200
const AUDIT_ITEM_BYTES = 20_000
/** The index root, the access manifest, and the own record that names the manifest. */
const ROOTS = 3

/** Actions that must be stored together, and their audit records. */
export interface WriteUnit {
  /** The write of a record is the first one. */
  readonly items: readonly TransactWriteItem[]
  readonly access: readonly AccessChange[]
  readonly audit: readonly TimedAccess[]
  /** The patient's own record is first, then records by type and time. Memberships are last. */
  readonly order: string
  /** The patient and the version of the patient's own record, if the unit writes it. */
  readonly own?: { readonly patient: PatientId; readonly version: number }
  /** The new index entries of the records. */
  readonly entries: readonly { readonly patient: PatientId; readonly type: TypeName; readonly entry: IndexEntry }[]
  /** The records that leave their charts. */
  readonly removed: readonly RecordRef[]
  readonly bytes: number
  /** The result for a record of the batch. */
  readonly result?: 'created' | 'updated' | 'removed' | 'moved'
  /** The unit begins a transaction: an item that it writes is in an earlier one. */
  readonly isLast?: boolean
}

/** The writers of one patient's index and access manifest. */
export interface Writers {
  readonly index: IndexWriter
  readonly access: AccessWriter
}

/** Counts the actions on one chart, as units are added to a transaction. */
class ChartActions {
  readonly #writers: Writers
  readonly #touched = new Map<string, { count: number; added: number }>()
  readonly #changes: AccessChange[] = []

  constructor(writers: Writers) {
    this.#writers = writers
  }

  add(unit: WriteUnit, patient: PatientId): void {
    const { index } = this.#writers
    for (const { type, entry } of unit.entries.filter((one) => one.patient === patient)) {
      for (const { name, count } of index.touches(type, entry)) {
        this.#touched.set(name, { count, added: (this.#touched.get(name)?.added ?? 0) + 1 })
      }
    }
    for (const { type, id } of unit.removed.filter((one) => one.patient === patient)) {
      for (const { name, count } of index.touchedBy(type, id)) {
        if (!this.#touched.has(name)) this.#touched.set(name, { count, added: 0 })
      }
    }
    this.#changes.push(...unit.access.filter((change) => change.patient === patient))
  }

  get count(): number {
    const chunks = [...this.#touched.values()].reduce((sum, { count, added }) => sum + chunksAfter(count, added), 0)
    return ROOTS + chunks + this.#writers.access.maxItems(this.#changes)
  }
}

/** The patients of which a unit changes the chart or the access. */
export function patientsOf({ entries, removed, access }: WriteUnit): readonly PatientId[] {
  return [...new Set([...entries, ...removed, ...access].map(({ patient }) => patient))]
}

/**
 * Returns the number of units, from the first, that one transaction holds with the roots and the chunks that they change. Records of
 * one type and time are together in the index, so that a transaction of them changes few chunks.
 */
export function fitting(units: readonly WriteUnit[], before: number, charts: ReadonlyMap<PatientId, Writers>): number {
  const counted = new Map<PatientId, ChartActions>()
  let [actions, bytes, auditBytes] = [before, 0, 0]
  // each patient has audit items of its own
  const audited = new Set<unknown>()
  for (const [place, unit] of units.entries()) {
    if (unit.isLast === true && units[0]?.isLast !== true) return place
    for (const patient of patientsOf(unit)) {
      const writers = charts.get(patient)
      if (writers === undefined) continue
      const chart = counted.get(patient) ?? new ChartActions(writers)
      counted.set(patient, chart)
      chart.add(unit, patient)
    }
    actions += unit.items.length
    bytes += unit.bytes
    for (const { patient } of unit.audit) audited.add(patient)
    auditBytes += unit.audit.reduce((sum, { paths = [] }) => sum + AUDIT_RECORD_BYTES + paths.join('","').length, 0)
    const ofCharts = [...counted.values()].reduce((sum, { count }) => sum + count, 0)
    const all = actions + ofCharts + audited.size + Math.floor(auditBytes / AUDIT_ITEM_BYTES)
    if (place > 0 && (all > MAX_ACTIONS || bytes > TRANSACTION_BYTES)) return place
  }
  return units.length
}

function chunked(items: readonly MembershipChange[]): readonly (readonly MembershipChange[])[] {
  const chunks: (readonly MembershipChange[])[] = []
  for (let start = 0; start < items.length; start += ACCESS_AT_ONCE) chunks.push(items.slice(start, start + ACCESS_AT_ONCE))
  return chunks
}

const isConsents = (change: AccessChange): change is ConsentsChange => change.kind === 'CONSENTS'
const bytesOf = (content: unknown): number => JSON.stringify(content).length

/**
 * A change of memberships or consents has audit records of its own, whatever records come with it. Changes of other patients come
 * first: what leaves a patient must not be kept by a failure after it reached another one.
 */
export function accessUnits(patient: PatientId | undefined, access: readonly AccessChange[], at: Instant): WriteUnit[] {
  const ordered = access.toSorted((one, other) => Number(one.patient === patient) - Number(other.patient === patient))
  const units: WriteUnit[] = []
  const consents = ordered.filter(isConsents)
  if (consents.length > 0) {
    const path = 'Consent' as SchemaPath
    const audit = consents.map((change): TimedAccess => {
      return { patient: change.patient, path, action: 'UPDATE', outcome: 'WRITTEN', at }
    })
    const bytes = consents.reduce((sum, change) => sum + bytesOf(change.consents), 0)
    // before the records that it may be about
    units.push({ items: [], access: consents, audit, entries: [], removed: [], order: '!', bytes })
  }
  const memberships = ordered.filter((change): change is MembershipChange => !isConsents(change))
  const chunks = [true, false].flatMap((ofStudies) => {
    const items = memberships.filter(({ kind }) => (kind === 'STUDY') === ofStudies)
    return chunked(items).map((chunk) => ({ chunk, path: (ofStudies ? 'ResearchStudy' : 'Patient.careTeam') as SchemaPath }))
  })
  for (const { chunk, path } of chunks) {
    const byPatient = Map.groupBy(chunk, (change) => change.patient)
    units.push({
      items: [],
      access: chunk,
      audit: [...byPatient].map(([of, { length: count }]) => {
        return { patient: of, path, action: 'UPDATE', outcome: 'WRITTEN', at, count }
      }),
      entries: [],
      removed: [],
      order: '~',
      bytes: chunk.reduce((sum, { content }) => sum + bytesOf(content), 0),
    })
  }
  return units
}

/** The path of locators in the audit. No path of a schema begins with `#`. */
const LOCATOR = '#record-locator' as SchemaPath
const LOCATORS_AT_ONCE = 25

/** The write of a locator that no record is written with. */
interface LoneLocator {
  readonly item: TransactWriteItem
  readonly bytes: number
  readonly when: unknown
}

/** Locators that are written without a record. An import that finds them knows of everything that the writes in between changed. */
export function locatorUnits(patient: PatientId | undefined, locators: readonly LoneLocator[], at: Instant): WriteUnit[] {
  const units: WriteUnit[] = []
  for (const [isLast, some] of Map.groupBy(locators, ({ when }) => when === 'LAST')) {
    for (let start = 0; start < some.length; start += LOCATORS_AT_ONCE) {
      const chunk = some.slice(start, start + LOCATORS_AT_ONCE)
      units.push({
        items: chunk.map(({ item }) => item),
        access: [],
        audit: [{ ...(patient && { patient }), path: LOCATOR, action: 'UPDATE', outcome: 'WRITTEN', at, count: chunk.length }],
        entries: [],
        removed: [],
        order: isLast ? '~~' : '!',
        ...(isLast && { isLast }),
        bytes: chunk.reduce((sum, { bytes }) => sum + bytes, 0),
      })
    }
  }
  return units
}
