import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { comparisonOf } from '../../directives/comparisons.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import { endOfPartialDate } from '../model/date-span.ts'
import { Erased, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import { valuesOf } from './derived-values.ts'
import { IndexWriter } from './index-writer.ts'
import { type ContributorParts, type RecordContributor, recordContributors } from './record-contributors.ts'
import { named, nameOf, type StoredRecord } from './record-items.ts'
import type { RecordTable } from './records.ts'

export type ChartParts = Pick<ContributorParts, 'keyring' | 'history' | 'search' | 'comparisons'> & {
  readonly records: RecordTable
}

interface Listed {
  readonly ref: RecordRef
  readonly version: number
  readonly paths: readonly SchemaPath[]
}

/**
 * The chart of a patient as it is before an erasure: the facts for retention, and the entries that lead to the patient. What it opens
 * leaves the gateway only as the date from which the patient may be erased.
 */
export class ErasableChart {
  readonly #index: IndexWriter
  /** The newest date of a record, in milliseconds since the epoch. Undefined if no record has a date. */
  readonly newest: number | undefined
  readonly birthDate: unknown
  /** The removals of the search entries and comparison tokens of all records. A repeated removal changes nothing. */
  readonly removals: readonly TransactWriteItem[]

  /**
   * @param birthDate the path of the birth date in the patient's own record, if retention needs it
   * @throws Erased; KeyUnavailable; IntegrityFailure if a record or the index is damaged or missing; StoreUnavailable
   */
  static async open(
    parts: ChartParts,
    { tenant, patient }: { readonly tenant: TenantId; readonly patient: PatientId },
    policy: PolicyTable,
    birthDate: SchemaPath | undefined,
  ): Promise<ErasableChart> {
    const keys = (await parts.keyring.patientKeys(tenant, [patient], 'always')).get(patient)
    if (keys === undefined) throw new KeyUnavailable()
    if (keys.erased) throw new Erased()
    const derived = { searchable: [...policy.searchable.values()], comparison: comparisonOf(policy.comparisons) }
    const contributors = await recordContributors({ ...parts, ...derived }, tenant)
    const damaged = (): never => {
      throw new IntegrityFailure()
    }
    const read = async () => {
      const index = await IndexWriter.open(parts.records, keys, { tenant, patient }, false)
      const wanted = wantedOf(index, patient, contributors, birthDate)
      const stored = await parts.records.load(
        tenant,
        wanted.map(({ ref }) => ref),
        new Set(wanted.flatMap(({ paths }) => paths)),
      )
      const opened = openedAll(keys, tenant, wanted, stored)
      return opened === undefined
        ? { torn: undefined }
        : { value: new ErasableChart(index, patient, contributors, opened, birthDate) }
    }
    return await retryOptimisticRead(read, damaged, BUSY_READS)
  }

  private constructor(
    index: IndexWriter,
    patient: PatientId,
    contributors: readonly RecordContributor[],
    records: readonly OpenedRecord[],
    birthDate: SchemaPath | undefined,
  ) {
    this.#index = index
    this.removals = records.flatMap(({ ref, values }) =>
      contributors.flatMap((contributor) => contributor.itemsOf({ ref, before: (path) => values.get(path) })),
    )
    const own = records.find(({ ref }) => (ref.id as string) === (patient as string))
    this.birthDate = birthDate === undefined ? undefined : own?.values.get(birthDate)
    const changed = records.map(({ changedAt }) => Date.parse(changedAt ?? ''))
    const dates = index.entries().map(({ date, datePrecision }) => {
      return datePrecision === undefined ? Date.parse(date) : endOfPartialDate(date, datePrecision)
    })
    const known = [...dates, ...changed].filter((time) => !Number.isNaN(time))
    this.newest = known.length === 0 ? undefined : known.reduce((one, other) => Math.max(one, other))
  }

  /** Returns the condition that the chart did not change, as a write of the same index root. */
  unchanged(): TransactWriteItem {
    return this.#index.unchanged()
  }

  /** Returns the write that ends the index. A writer that prepared a change of the chart before fails, so that no entry is added. */
  end(tombstone: Uint8Array): TransactWriteItem {
    return this.#index.end(tombstone)
  }
}

interface OpenedRecord {
  readonly ref: RecordRef
  readonly values: ReadonlyMap<SchemaPath, unknown>
  readonly changedAt: string | undefined
}

/** The records with entries, and the patient's own record. */
function wantedOf(
  index: IndexWriter,
  patient: PatientId,
  contributors: readonly RecordContributor[],
  birthDate: SchemaPath | undefined,
): Listed[] {
  return [...index.versions()].flatMap(([name, version]) => {
    const ref = named(patient, name)
    const isOwn = (ref.id as string) === (patient as string)
    const paths = contributors.flatMap((contributor) => contributor.paths(ref))
    if (isOwn && birthDate?.startsWith(`${ref.type}.`) === true) paths.push(birthDate)
    return isOwn || paths.length > 0 ? [{ ref, version, paths: [...new Set(paths)] }] : []
  })
}

/** Undefined if a record is not stored in the version that the index names. */
function openedAll(
  keys: PatientKeys,
  tenant: TenantId,
  wanted: readonly Listed[],
  stored: readonly StoredRecord[],
): readonly OpenedRecord[] | undefined {
  const byName = new Map(stored.map((record) => [nameOf(record.ref), record]))
  const opened: OpenedRecord[] = []
  for (const { ref, version, paths } of wanted) {
    const record = byName.get(nameOf(ref))
    if (record === undefined) return undefined
    const sealed = SealedRecord.open(keys, { tenant, ...ref }, record.manifest, { fields: 0, metadata: 0 })
    if (sealed.version !== version) return undefined
    opened.push({ ref, values: valuesOf(keys, tenant, record, paths), changedAt: sealed.metadata.change?.at })
  }
  return opened
}
