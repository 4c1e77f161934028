import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import { partsOf, searchKey, searchToken } from '../crypto/blind-index.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordRef, TenantId } from '../model/ids.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'
import type { StoredRecord } from './records.ts'
import type { SearchRow, SearchTable, SearchTerm } from './search.ts'

type ValueOf = (path: SchemaPath) => unknown

/** Writes the search entries of a tenant's records. */
export class SearchWriter {
  readonly #table: SearchTable
  readonly #key: PurposeKey<'index'>
  readonly #tenant: TenantId
  readonly #indexes: readonly SearchIndex[]

  constructor(table: SearchTable, key: PurposeKey<'index'>, tenant: TenantId, indexes: readonly SearchIndex[]) {
    this.#table = table
    this.#key = key
    this.#tenant = tenant
    this.#indexes = indexes
  }

  /** The paths that the entries of a record type are made of. */
  paths({ type }: RecordRef): readonly SchemaPath[] {
    return [...new Set(this.#of(type).flatMap(partsOf))]
  }

  /**
   * Returns the writes of a record's entries, and the removals of its former entries. Entries that stay are written again, so that an
   * entry that was removed, or that is missing because its index is newer, exists afterwards.
   *
   * @param before the values of the earlier version; undefined for a new record
   * @throws KeyUnavailable
   */
  write(ref: RecordRef, after: ValueOf, before?: ValueOf): TransactWriteItem[] {
    const now = this.#terms(ref, after)
    const old = before === undefined ? new Map<string, SearchTerm>() : this.#terms(ref, before)
    return [
      ...[...now.values()].map((term) => this.#table.put(this.#tenant, term, ref)),
      ...[...old].filter(([name]) => !now.has(name)).map(([, term]) => this.#table.remove(this.#tenant, term, ref)),
    ]
  }

  /** Returns the rows that the table must have for a record. @throws KeyUnavailable */
  rows(ref: RecordRef, valueOf: ValueOf): SearchRow[] {
    return [...this.#terms(ref, valueOf).values()].map((term) => this.#table.row(this.#tenant, term, ref))
  }

  #terms({ type }: RecordRef, valueOf: ValueOf): Map<string, SearchTerm> {
    const terms = new Map<string, SearchTerm>()
    for (const index of this.#of(type)) {
      const key = searchKey(index, valueOf)
      if (key === undefined) continue
      const token = searchToken(this.#key, this.#tenant, index, key)
      terms.set(`${index.path} ${token}`, { paths: partsOf(index), token })
    }
    return terms
  }

  #of(type: string): readonly SearchIndex[] {
    return this.#indexes.filter(({ path }) => path.startsWith(`${type}.`))
  }
}

/**
 * Opens the values from which the search entries of a stored record are made. Without them, the entries cannot be removed. No request
 * counts these openings.
 *
 * @throws IntegrityFailure
 */
export function valuesOf(
  keys: PatientKeys,
  tenant: TenantId,
  { ref, manifest, fields }: StoredRecord,
  paths: readonly SchemaPath[],
): ReadonlyMap<SchemaPath, Json> {
  const record = SealedRecord.open(keys, { tenant, ...ref }, manifest, { fields: 0, metadata: 0 })
  const values = new Map<SchemaPath, Json>()
  for (const path of paths) {
    const sealed = fields.get(path)
    if (sealed !== undefined) values.set(path, record.openField(path, sealed))
    else if (record.verdict(path, sealed) !== 'ABSENT') throw new IntegrityFailure()
  }
  return values
}
