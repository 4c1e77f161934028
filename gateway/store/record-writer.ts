import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditContext, TimedAccess } from '../audit/entry.ts'
import { ItemPacker } from '../audit/item-packer.ts'
import type { AuditLog } from '../audit/log.ts'
import { KeyUnavailable, VersionConflict } from '../model/failures.ts'
import type { Instant, PatientId, RecordRef, TenantId } from '../model/ids.ts'
import type { Clock, NewRecord } from '../model/record.ts'
import type { WriteResult } from '../model/source-result.ts'
import type { AccessChange, AccessTable } from './access.ts'
import { ChartWriter, newChartKey } from './chart-writer.ts'
import type { DynamoKeyTable } from './keys.ts'
import { type ContributorParts, recordContributors } from './record-contributors.ts'
import { RecordUnits } from './record-units.ts'
import { nameOf } from './record-items.ts'
import type { RecordTable } from './records.ts'
import { WriteTally } from './write-tally.ts'
import { accessUnits, fitting, locatorUnits, patientsOf, type WriteUnit } from './write-units.ts'

/** The changes that follow from the resources of one patient. */
export interface PatientBatch {
  /** Undefined for resources that no chart has. */
  readonly patient?: PatientId
  readonly records: readonly NewRecord[]
  /** Changes of this patient, and of patients that records leave. */
  readonly access: readonly AccessChange[]
  /** Records that leave their charts. If the batch has a record with this type and id, both are written in one transaction. */
  readonly removed?: readonly RecordRef[]
  readonly locators?: readonly LocatorWrite[]
  /** Whether an earlier import may have written a record to its chart and removed it again. Without it, no record returns. */
  readonly mayReturn?: (ref: RecordRef) => boolean
}

/** The write of a record locator. */
export interface LocatorWrite {
  readonly item: TransactWriteItem
  readonly bytes: number
  /** WITH: in the transaction of the record of this type and id. FIRST, LAST: before or after everything else of the batch. */
  readonly when: 'FIRST' | 'LAST' | Pick<RecordRef, 'type' | 'id'>
}

export interface WriterParts extends ContributorParts {
  readonly records: RecordTable
  readonly access: AccessTable
  readonly keys: DynamoKeyTable
  readonly audit: AuditLog
  readonly now: Clock
}

const DEADLINE_MS = 30_000
/** A conflict means that another writer of the patient succeeded. A write begins again after a conflict for this time. */
const CONFLICTS_MS = 30_000
const FIRST_PAUSE_MS = 5
/** Longer than any batch takes, and shorter than the time for which `token-versions.ts` writes two versions. */
const PREPARED_MS = 300_000
const MAX_PAUSE_MS = 250
/** Seals and stores records. A record, its former version and its audit record commit together or not at all. */
export class RecordWriter {
  readonly #parts: WriterParts

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /**
   * Writes the new and changed records, by the digest of their source, and removes others. A repeated call changes nothing, and continues
   * an interrupted one.
   *
   * If another writer changed a patient in the meantime, the write begins again. A given batch does not begin again after the first of
   * several transactions: the next call continues.
   *
   * @param batch a function is called again at each beginning, because a batch can depend on what is stored
   * @throws VersionConflict if other writers kept changing the patient for half a minute; BadUserInput for a record that is too large;
   *   AuditUnavailable, StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  async write(context: AuditContext, batch: PatientBatch | (() => Promise<PatientBatch>)): Promise<WriteResult> {
    const began = performance.now()
    const packer = new ItemPacker(context)
    const done = new WriteTally()
    for (let attempt = 1; ; attempt++) {
      try {
        const unchanged = await this.#writeOnce(context, typeof batch === 'function' ? await batch() : batch, packer, done)
        return done.resultWith(unchanged)
      } catch (error) {
        const isFirst = done.transactions === 0
        const isOver = performance.now() - began > CONFLICTS_MS
        if (!(error instanceof VersionConflict) || isOver || (typeof batch !== 'function' && !isFirst)) throw error
      }
      await sleep(Math.random() * Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt))
    }
  }

  /** Returns the names of unchanged records, and counts the others in `done` as they are written. */
  async #writeOnce(context: AuditContext, batch: PatientBatch, packer: ItemPacker, done: WriteTally): Promise<ReadonlySet<string>> {
    const { tenant } = context
    const began = performance.now()
    const charts = await this.#openCharts(tenant, batch)
    const of = new RecordUnits(this.#parts, tenant, await recordContributors(this.#parts, tenant))
    const { units, unchanged } = await this.#units(tenant, charts, batch, of)
    const access = batch.access.filter((change) => charts.has(change.patient))
    units.push(...accessUnits(batch.patient, access, this.#now()))
    units.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
    for (let next = units; next.length > 0; ) {
      // the versions of keys in the prepared items can be outdated by now
      if (performance.now() - began > PREPARED_MS) throw new VersionConflict()
      const group = next.slice(0, fitting(next, 1, charts))
      const touched = [...new Set(group.flatMap(patientsOf))].flatMap((patient) => charts.get(patient) ?? [])
      const others = group.filter(({ own }) => own === undefined)
      const items = [...others.flatMap((unit) => unit.items), ...touched.flatMap((chart) => chart.write(group))]
      await this.#commit(
        items,
        packer,
        group.flatMap((unit) => unit.audit),
      )
      for (const chart of touched) chart.written()
      done.add(group)
      next = next.slice(group.length)
    }
    return unchanged
  }

  /** Opens the chart of the patient, and those that records or access leave. The chart of an erased patient has nothing left to remove. */
  async #openCharts(tenant: TenantId, { patient, records, access, removed = [] }: PatientBatch): Promise<Charts> {
    const { keyring } = this.#parts
    const refs = [...records.map(({ ref }) => ref), ...removed]
    const patients = [
      ...new Set([
        ...(patient === undefined ? [] : [patient]),
        ...refs.map((ref) => ref.patient),
        ...access.map((change) => change.patient),
      ]),
    ]
    const known = await keyring.patientKeys(tenant, patients, 'always')
    const accessKey = await keyring.purposeKey(tenant, 'access')
    const charts = new Map<PatientId, ChartWriter>()
    for (const one of patients) {
      const handle = known.get(one)
      if (one !== patient && handle?.erased === true) continue
      if (one !== patient && handle === undefined) throw new KeyUnavailable()
      const isWritten = refs.some((ref) => ref.patient === one) || access.some((change) => change.patient === one)
      if (!isWritten) continue
      const ofChart = [refs.filter((ref) => ref.patient === one), access.filter((change) => change.patient === one)] as const
      const { keys, newKey } = handle === undefined ? await newChartKey(this.#parts, tenant, one) : { keys: handle }
      const place = { records: this.#parts.records, access: this.#parts.access, accessKey, tenant, patient: one, keys }
      charts.set(one, await ChartWriter.open(place, newKey, ...ofChart))
    }
    return charts
  }

  async #units(
    tenant: TenantId,
    charts: Charts,
    { patient, records, removed = [], locators = [], mayReturn = () => false }: PatientBatch,
    of: RecordUnits,
  ): Promise<{ units: WriteUnit[]; unchanged: ReadonlySet<string> }> {
    const units: WriteUnit[] = []
    const unchanged = new Set<string>()
    // a record that moves has the same type and id in both charts
    const leaving = Map.groupBy(removed, nameOf)
    const located = new Map(locators.flatMap((one) => (typeof one.when === 'object' ? [[nameOf(one.when), one]] : [])))
    const alone = locators.filter(({ when }) => typeof when !== 'object')
    const retracted = await this.#parts.history.retracted(
      tenant,
      records.map(({ ref }) => ref).filter((ref) => mayBeRetracted(charts, ref)),
    )
    const written = new Date(this.#now()).toISOString()
    for (const given of records) {
      // an import names no user, and its time is known to the history of the record
      const record = given.metadata.change === undefined ? { ...given, metadata: { ...given.metadata, written } } : given
      const name = nameOf(record.ref)
      const chart = charts.get(record.ref.patient)
      if (chart === undefined) throw new KeyUnavailable()
      const sealed = chart.stored(record.ref)
      // a record that a user retracted stays out, whatever its source says of it later
      const isRetracted = sealed === undefined && retracted.has(name)
      const isUnchanged =
        isRetracted || (sealed?.metadata.source !== undefined && sealed.metadata.source === record.metadata.source)
      const parts = await removals(of, charts, leaving.get(name) ?? [])
      const isMoved = parts.length > 0
      if (isUnchanged) unchanged.add(name)
      else if (sealed === undefined) {
        const last = mayReturn(record.ref) ? await this.#parts.history.lastVersion(tenant, record.ref) : 0
        parts.unshift({ ...of.create(chart.keys, record, last + 1), result: isMoved ? 'moved' : 'created' })
      } else parts.unshift(await of.update(chart.keys, record, sealed.version, sealed.metadata.signature))
      const locator = located.get(name)
      if (parts.length > 0) units.push(together(parts, locator))
      else if (locator !== undefined) alone.push(locator)
      leaving.delete(name)
      located.delete(name)
    }
    for (const [name, refs] of leaving) {
      const parts = await removals(of, charts, refs)
      const locator = located.get(name)
      if (parts.length > 0) units.push({ ...together(parts, locator), result: 'removed' })
      else if (locator !== undefined) alone.push(locator)
      located.delete(name)
    }
    units.push(...locatorUnits(patient, [...alone, ...located.values()], this.#now()))
    return { units, unchanged }
  }

  async #commit(items: readonly TransactWriteItem[], packer: ItemPacker, audit: readonly TimedAccess[]): Promise<void> {
    const drafts = packer.ofWrite(audit)
    try {
      await this.#parts.audit.commit(items, drafts, this.#parts.now() + DEADLINE_MS)
    } catch (error) {
      if (error instanceof VersionConflict) packer.withdraw(drafts)
      throw error
    }
  }

  #now(): Instant {
    return this.#parts.now() as Instant
  }
}

type Charts = ReadonlyMap<PatientId, ChartWriter>

/** A new patient has no retracted record, and a stored record is not retracted. */
function mayBeRetracted(charts: Charts, ref: RecordRef): boolean {
  const chart = charts.get(ref.patient)
  return chart !== undefined && !chart.isNew && chart.stored(ref) === undefined
}

/** Removes records from the charts that have them. */
async function removals(of: RecordUnits, charts: Charts, refs: readonly RecordRef[]): Promise<WriteUnit[]> {
  const units: WriteUnit[] = []
  for (const ref of refs) {
    const chart = charts.get(ref.patient)
    const sealed = chart?.stored(ref)
    if (chart !== undefined && sealed !== undefined) units.push(await of.remove(chart.keys, ref, sealed.version))
  }
  return units
}

/** One unit of several, in the order and with the result of the first. */
function together(units: readonly WriteUnit[], locator: LocatorWrite | undefined): WriteUnit {
  const [first] = units
  if (first === undefined) throw new TypeError('a unit has parts')
  return {
    ...first,
    items: [...units.flatMap(({ items }) => items), ...(locator === undefined ? [] : [locator.item])],
    audit: units.flatMap(({ audit }) => audit),
    entries: units.flatMap(({ entries }) => entries),
    removed: units.flatMap(({ removed }) => removed),
    bytes: units.reduce((sum, { bytes }) => sum + bytes, locator?.bytes ?? 0),
  }
}
