import { ItemPacker } from '../audit/item-packer.ts'
import { SearchReindexer } from '../store/search-reindexer.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant } from '../model/ids.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import { type Env, openServices, type Services } from '../compose.ts'
import { operatorContext } from './operator-context.ts'

export interface SearchAdmin {
  readonly reindexer: SearchReindexer
  close(): void
}

/** The path of a changed search row in the audit. No path of a schema begins with `#`. */
const PATH = '#search-entry' as SchemaPath
/** The form of a patient id. A planted row can hold any text in its place, and that text must not reach the audit. */
const PATIENT = /^[\w-]{22}$/
const DEADLINE_MS = 30_000

/**
 * Opens the search table of a deployment for administration. The audit names the operator's account.
 *
 * @param policy digest of the policy lock, for the audit
 * @param searchable the blind indexes of the schema (`searchIndexes` of its lock)
 * @throws ZodError for a missing variable
 */
export function searchAdmin(policy: string, env: Env, searchable: readonly SearchIndex[]): SearchAdmin {
  const services = openServices(env)
  return { reindexer: searchReindexer(services, policy, searchable), close: () => services.close() }
}

/** The reindexer over the services of a process. One transaction stores a change and its audit record. */
export function searchReindexer(services: Services, policy: string, searchable: readonly SearchIndex[]): SearchReindexer {
  const { audit, now } = services
  return new SearchReindexer({
    ...services,
    searchable,
    commit: async (tenant, { patient, what, rows, items }) => {
      const at = now() as Instant
      const context = operatorContext(services, { tenant, client: 'phi-search', operation: 'reindex', policy })
      const action = what === 'WRITTEN' ? 'CREATE' : 'DELETE'
      const subject = PATIENT.test(patient) && { patient }
      const record = { ...subject, path: PATH, action, outcome: 'WRITTEN', at, count: rows.length } as const
      await audit.commit(items, new ItemPacker(context).ofWrite([record]), at + DEADLINE_MS)
    },
  })
}
