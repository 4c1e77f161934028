import { ItemPacker } from '../audit/item-packer.ts'
import type { Comparison } from '../../directives/comparisons.ts'
import { ComparisonWriter } from '../store/comparison-writer.ts'
import { DerivedReindexer, type ReindexChange } from '../store/derived-reindexer.ts'
import type { DerivedRow } from '../store/derived-rows.ts'
import type { SearchRow } from '../store/search.ts'
import { SearchWriter } from '../store/search-writer.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant, TenantId } from '../model/ids.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import { type Env, openServices, type Services } from '../compose.ts'
import { operatorContext } from './operator-context.ts'

export interface SearchAdmin {
  readonly reindexer: DerivedReindexer<SearchRow>
  /** Undefined for a schema without `@workforceComparison`. */
  readonly comparisons: DerivedReindexer<DerivedRow> | undefined
  close(): void
}

/** The paths of changed rows in the audit. No path of a schema begins with `#`. */
const ENTRY = '#search-entry' as SchemaPath
const TOKEN = '#comparison-token' as SchemaPath
/** The form of a patient id. A planted row can hold any text in its place, and that text must not reach the audit. */
const PATIENT = /^[\w-]{22}$/
const DEADLINE_MS = 30_000

/** The rows of a schema that follow from records. */
export interface DerivedSchema {
  /** `searchIndexes` of the policy lock. */
  readonly searchable: readonly SearchIndex[]
  /** `workforceComparison` of the policy lock. */
  readonly comparison: Comparison | undefined
}

/**
 * Opens the search table and the comparison tokens of a deployment for administration. The audit names the operator's account.
 *
 * @param policy digest of the policy lock, for the audit
 * @throws ZodError for a missing variable
 */
export function searchAdmin(policy: string, env: Env, { searchable, comparison }: DerivedSchema): SearchAdmin {
  const services = openServices(env)
  return {
    reindexer: searchReindexer(services, policy, searchable),
    comparisons: comparison && comparisonReindexer(services, policy, comparison),
    close: () => services.close(),
  }
}

/** The reindexer of search entries over the services of a process. */
export function searchReindexer(
  services: Services,
  policy: string,
  searchable: readonly SearchIndex[],
): DerivedReindexer<SearchRow> {
  const { keyring, search: table } = services
  return new DerivedReindexer({
    ...services,
    table,
    writerOf: async (tenant) => new SearchWriter(table, await keyring.purposeKey(tenant, 'index'), tenant, searchable),
    commit: committed(services, policy, ENTRY),
  })
}

/** The reindexer of patients' comparison tokens over the services of a process. */
export function comparisonReindexer(services: Services, policy: string, comparison: Comparison): DerivedReindexer<DerivedRow> {
  const { keyring, comparisons: table } = services
  return new DerivedReindexer({
    ...services,
    table,
    writerOf: async (tenant) => new ComparisonWriter(table, await keyring.purposeKey(tenant, 'comparison'), tenant, comparison),
    commit: committed(services, policy, TOKEN),
  })
}

/** One transaction stores a change and its audit record. */
function committed(services: Services, policy: string, path: SchemaPath) {
  const { audit, now } = services
  return async (tenant: TenantId, { patient, what, rows, items }: ReindexChange): Promise<void> => {
    const at = now() as Instant
    const context = operatorContext(services, { tenant, client: 'phi-search', operation: 'reindex', policy })
    const action = what === 'WRITTEN' ? 'CREATE' : 'DELETE'
    const subject = PATIENT.test(patient) && { patient }
    const record = { ...subject, path, action, outcome: 'WRITTEN', at, count: rows.length } as const
    await audit.commit(items, new ItemPacker(context).ofWrite([record]), at + DEADLINE_MS)
  }
}
