import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { comparisonOf } from '../../directives/comparisons.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { MAX_ACTIONS } from '../audit/submission.ts'
import { BadUserInput, Erased, KeyUnavailable, VersionConflict } from '../model/failures.ts'
import { type PatientId, recordKey, type RecordRef, type TenantId } from '../model/ids.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Json, NewRecord, RecordedChange, RecordMetadata } from '../model/record.ts'
import type { AccessChange } from './access.ts'
import { ChartWriter, newChartKey } from './chart-writer.ts'
import { valuesOf } from './derived-values.ts'
import { recordContributors } from './record-contributors.ts'
import { type RecordPatch, RecordUnits } from './record-units.ts'
import type { WriterParts } from './record-writer.ts'
import type { WriteUnit } from './write-units.ts'

/** A change of one record. `expected` is the version that the change was made from. */
export type RecordChange =
  | { readonly kind: 'CREATE'; readonly record: NewRecord }
  | { readonly kind: 'UPDATE'; readonly expected: number; readonly patch: RecordPatch }
  | { readonly kind: 'RETRACT'; readonly ref: RecordRef; readonly expected: number; readonly change: RecordedChange }

/** Changes of one patient's chart that are stored together. */
export interface ChartChange {
  readonly patient: PatientId
  /** Whether the change creates the patient. */
  readonly isNew: boolean
  readonly records: readonly RecordChange[]
  readonly access: readonly AccessChange[]
  /** Records of the patient that the changes refer to. */
  readonly references: readonly RecordRef[]
}

/**
 * - STALE: the record has another version, `current`.
 * - GONE: the record left the chart.
 * - NO_REFERENCE: the chart lacks a record of `references`.
 */
export type PreparedChange =
  | { readonly kind: 'PREPARED'; readonly items: readonly TransactWriteItem[]; readonly version: number }
  | { readonly kind: 'STALE'; readonly current: number }
  | { readonly kind: 'GONE' | 'NO_REFERENCE' }

/** The version of a record that a change is made from. Nothing of it leaves the gateway. */
export interface FormerVersion {
  readonly version: number
  readonly metadata: RecordMetadata
  /** The present values of the requested paths. */
  readonly values: ReadonlyMap<SchemaPath, Json>
}

/** A source that stores changes of its records in one transaction with their audit. */
export interface RecordChangePort {
  /**
   * Opens a record for a change that follows from its values.
   *
   * @param counter counts the openings of the request
   * @returns undefined if the chart has no such record
   * @throws Erased; VersionConflict if another writer is changing the chart; StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  former(
    tenant: TenantId,
    ref: RecordRef,
    paths: readonly SchemaPath[],
    counter: OpeningCounter,
  ): Promise<FormerVersion | undefined>
  /**
   * Seals a change. The caller commits the items, and prepares the change again after a conflict.
   *
   * @throws BadUserInput for a record or a transaction that is too large; Erased; VersionConflict if another writer is changing the chart
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  prepare(tenant: TenantId, policy: PolicyTable, change: ChartChange): Promise<PreparedChange>
}

type ChangeParts = Omit<WriterParts, 'searchable' | 'comparison' | 'audit'>

/** Actions of one transaction that are left for the audit and the idempotency item. */
const OTHER_ACTIONS = 5
const TOO_MANY_ACTIONS = `The change needs more than ${MAX_ACTIONS - OTHER_ACTIONS} actions of one transaction. Change fewer values at once.`

/** The changes of records in the gateway's own store. */
export class RecordChanges implements RecordChangePort {
  readonly #parts: ChangeParts

  constructor(parts: ChangeParts) {
    this.#parts = parts
  }

  async former(
    tenant: TenantId,
    ref: RecordRef,
    paths: readonly SchemaPath[],
    counter: OpeningCounter,
  ): Promise<FormerVersion | undefined> {
    const chart = await this.#chart(tenant, { patient: ref.patient, isNew: false, refs: [ref], access: [] })
    const stored = chart.stored(ref)
    if (stored === undefined) return undefined
    const whole = await this.#parts.records.whole(tenant, ref)
    if (whole === undefined) throw new VersionConflict()
    const { version, metadata } = stored
    // a later version fails where the change expects this one
    return { version, metadata, values: valuesOf(chart.keys, tenant, whole, paths, counter) }
  }

  async prepare(tenant: TenantId, policy: PolicyTable, change: ChartChange): Promise<PreparedChange> {
    const { patient, isNew, access } = change
    const chart = await this.#chart(tenant, { patient, isNew, refs: change.records.map(refOf), access })
    const listed = chart.index.versions()
    if (change.references.some(({ type, id }) => !listed.has(`${type}#${id}`))) return { kind: 'NO_REFERENCE' }
    const derived = { searchable: [...policy.searchable.values()], comparison: comparisonOf(policy.comparisons) }
    const units = new RecordUnits(this.#parts, tenant, await recordContributors({ ...this.#parts, ...derived }, tenant))
    const group: WriteUnit[] = []
    let version = 0
    for (const one of change.records) {
      const stored = one.kind === 'CREATE' ? undefined : chart.stored(refOf(one))
      if (one.kind === 'CREATE') {
        version = 1
        group.push(units.create(chart.keys, one.record, version))
        continue
      }
      if (stored === undefined) return { kind: 'GONE' }
      if (stored.version !== one.expected) return { kind: 'STALE', current: stored.version }
      version = stored.version + 1
      group.push(
        one.kind === 'UPDATE'
          ? await units.patch(chart.keys, one.patch, stored.version, stored.metadata)
          : await units.retract(chart.keys, one.ref, stored.version, { ...stored.metadata, change: one.change }),
      )
    }
    if (access.length > 0) group.push(accessOnly(access))
    const others = group.filter(({ own }) => own === undefined)
    const items = [...others.flatMap((unit) => unit.items), ...chart.write(group)]
    if (items.length > MAX_ACTIONS - OTHER_ACTIONS) throw new BadUserInput({ detail: TOO_MANY_ACTIONS })
    return { kind: 'PREPARED', items, version }
  }

  async #chart(
    tenant: TenantId,
    { patient, isNew, refs, access }: Pick<ChartChange, 'patient' | 'isNew' | 'access'> & { readonly refs: readonly RecordRef[] },
  ): Promise<ChartWriter> {
    const { keyring } = this.#parts
    const [handles, accessKey] = await Promise.all([
      keyring.patientKeys(tenant, [patient], 'always'),
      keyring.purposeKey(tenant, 'access'),
    ])
    const handle = handles.get(patient)
    if (handle?.erased === true) throw new Erased()
    // the id of a new patient is random: a key can only come from an attempt whose answer was lost
    if (isNew && handle !== undefined) throw new VersionConflict()
    if (!isNew && handle === undefined) throw new KeyUnavailable()
    const { keys, newKey } = handle === undefined ? await newChartKey(this.#parts, tenant, patient) : { keys: handle }
    const distinct = new Map(refs.map((ref) => [recordKey(ref), ref]))
    return await ChartWriter.open({ ...this.#parts, accessKey, tenant, patient, keys }, newKey, [...distinct.values()], access)
  }
}

function refOf(change: RecordChange): RecordRef {
  switch (change.kind) {
    case 'CREATE':
      return change.record.ref
    case 'UPDATE':
      return change.patch.ref
    case 'RETRACT':
      return change.ref
  }
}

const accessOnly = (access: readonly AccessChange[]): WriteUnit => ({
  items: [],
  access,
  audit: [],
  entries: [],
  removed: [],
  order: '~',
  bytes: 0,
})
