import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import type { AuditContext } from '../audit/entry.ts'
import { newRequestId } from '../audit/request-id.ts'
import { SearchReindexer } from '../store/search-reindexer.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant } from '../model/ids.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import { type Env, openServices, type Services } from '../compose.ts'

export interface SearchAdmin {
  readonly reindexer: SearchReindexer
  close(): void
}

/** What stands in the audit as the path of a mended row: no path of a schema begins so. */
const PATH = '#search-entry' as SchemaPath
/** Ids of patients have this form: what somebody planted need not, and does not go into the audit as it is. */
const PATIENT = /^[\w-]{22}$/
const DEADLINE_MS = 30_000

/**
 * Opens the search table of a deployment for mending it, under the account that does it.
 *
 * @param policy digest of the policy lock, for the audit
 * @param searchable the blind indexes of the schema (`searchIndexes` of its lock)
 * @throws ZodError for a missing variable
 */
export function searchAdmin(policy: string, env: Env, searchable: readonly SearchIndex[]): SearchAdmin {
  const services = openServices(env)
  return { reindexer: searchReindexer(services, policy, searchable), close: () => services.close() }
}

/** Mends over the services of a process. A change and its audit record are stored together or not at all. */
export function searchReindexer(services: Services, policy: string, searchable: readonly SearchIndex[]): SearchReindexer {
  const { audit, process, now } = services
  return new SearchReindexer({
    ...services,
    searchable,
    commit: async (tenant, { patient, what, rows, items }) => {
      const at = now() as Instant
      const context: AuditContext = {
        tenant,
        requestId: newRequestId(process, at, randomBytes),
        user: `os:${userInfo().username}`,
        roles: [],
        client: 'phi-search',
        purpose: 'HOPERAT',
        operation: 'reindex',
        persisted: false,
        policy,
      }
      const action = what === 'WRITTEN' ? 'CREATE' : 'DELETE'
      const whose = PATIENT.test(patient) && { patient }
      const record = { ...whose, path: PATH, action, outcome: 'WRITTEN', at, count: rows.length } as const
      await audit.commit(context, items, [record], at + DEADLINE_MS)
    },
  })
}
