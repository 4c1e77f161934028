import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { partsOf, searchKey, searchToken } from '../crypto/blind-index.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordRef, TenantId } from '../model/ids.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import { type DerivedWriter, rowChanges, type ValueOf } from './derived-rows.ts'
import type { SearchRow, SearchTable } from './search.ts'

/** Writes the search entries of a tenant's records. */
export class SearchWriter implements DerivedWriter<SearchRow> {
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

  paths({ type }: RecordRef): readonly SchemaPath[] {
    return [...new Set(this.#of(type).flatMap(partsOf))]
  }

  write(ref: RecordRef, after: ValueOf | undefined, before?: ValueOf): TransactWriteItem[] {
    const { searched, written } = this.#key.tokenVersions
    const rowsOf = (valueOf: ValueOf | undefined, versions: readonly number[]) =>
      valueOf === undefined ? [] : this.#rows(ref, valueOf, versions)
    return rowChanges(this.#table, rowsOf(after, written), rowsOf(before, searched))
  }

  rows(ref: RecordRef, valueOf: ValueOf): SearchRow[] {
    return this.#rows(ref, valueOf, this.#key.tokenVersions.written)
  }

  /** @param versions of the key */
  #rows(ref: RecordRef, valueOf: ValueOf, versions: readonly number[]): SearchRow[] {
    return this.#of(ref.type).flatMap((index) => {
      const key = searchKey(index, valueOf)
      if (key === undefined) return []
      return versions.map((version) => {
        const token = searchToken(this.#key, this.#tenant, index, key, version)
        return this.#table.row(this.#tenant, { paths: partsOf(index), token }, ref)
      })
    })
  }

  /** A row of a type without an index follows from no record. */
  recordOf({ patient, id, type }: SearchRow): RecordRef | undefined {
    return type !== undefined && this.#of(type).length > 0 ? { patient, id, type } : undefined
  }

  #of(type: string): readonly SearchIndex[] {
    return this.#indexes.filter(({ path }) => path.startsWith(`${type}.`))
  }
}
