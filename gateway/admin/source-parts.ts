import type { Services } from '../compose.ts'
import type { TenantId } from '../model/ids.ts'

/** The services that the import of one tenant uses. */
export interface PlanParts {
  readonly services: Pick<Services, 'keyring' | 'access' | 'records' | 'locators'>
  readonly tenant: TenantId
}
