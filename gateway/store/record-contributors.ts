import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Comparison } from '../../directives/comparisons.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { RecordRef, TenantId } from '../model/ids.ts'
import { ComparisonWriter } from './comparison-writer.ts'
import type { ComparisonTable } from './comparisons.ts'
import type { DerivedWriter, ValueOf } from './derived-rows.ts'
import type { HistoryTable } from './history.ts'
import type { StoredRecord } from './record-items.ts'
import type { SearchTable } from './search.ts'
import { SearchWriter } from './search-writer.ts'

/** A stored version of a record. */
interface StoredVersion {
  readonly stored: StoredRecord
  readonly version: number
}

/** A change of one record, sealed and not yet written. */
export interface SealedChange {
  readonly ref: RecordRef
  /** The version that the change replaces. Undefined for a new record. */
  readonly former?: StoredVersion
  /** The version that ends a retracted record. It has no values. */
  readonly last?: StoredVersion
  /** The values of the former version, for the paths of the contributors. */
  readonly before?: ValueOf
  /** The values of the new version, for the paths of the contributors. Undefined if the record leaves its chart. */
  readonly after?: ValueOf
}

/** Adds the items of its table to the transaction that writes a record. */
export interface RecordContributor {
  /** The paths whose values the items are made of. */
  paths(ref: RecordRef): readonly SchemaPath[]
  /** @throws KeyUnavailable */
  itemsOf(change: SealedChange): readonly TransactWriteItem[]
}

/** The former version goes to the history, and so does the last one of a retracted record, with a mark. */
function historyContributor(history: HistoryTable, tenant: TenantId): RecordContributor {
  return {
    paths: () => [],
    itemsOf: ({ ref, former, last }) => [
      ...[former, last].flatMap((one) => (one === undefined ? [] : [history.put(tenant, one.stored, one.version)])),
      ...(last === undefined ? [] : [history.putRetraction(tenant, ref)]),
    ],
  }
}

/** The rows of a table that follow from records: search entries, comparison tokens. */
function derivedContributor(writer: DerivedWriter): RecordContributor {
  return {
    paths: (ref) => writer.paths(ref),
    itemsOf: ({ ref, before, after }) => writer.write(ref, after, before),
  }
}

export interface ContributorParts {
  readonly keyring: Keyring
  readonly history: HistoryTable
  readonly search: SearchTable
  /** The blind indexes of the schema. Without them, no search finds the written records. */
  readonly searchable?: readonly SearchIndex[]
  readonly comparisons: ComparisonTable
  /** The fields that leave comparison tokens. Without it, no written patient is compared with the workforce. */
  readonly comparison?: Comparison | undefined
}

/** The contributors of every write: history, search entries, comparison tokens. @throws KeyUnavailable, StoreUnavailable */
export async function recordContributors(
  { keyring, history, search, searchable = [], comparisons, comparison }: ContributorParts,
  tenant: TenantId,
): Promise<readonly RecordContributor[]> {
  const entries = new SearchWriter(search, await keyring.purposeKey(tenant, 'index'), tenant, searchable)
  const always = [historyContributor(history, tenant), derivedContributor(entries)]
  if (comparison === undefined) return always
  const tokens = new ComparisonWriter(comparisons, await keyring.purposeKey(tenant, 'comparison'), tenant, comparison)
  return [...always, derivedContributor(tokens)]
}
