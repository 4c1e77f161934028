import type { ClientOf } from '../operations/persisted/operation-registry.ts'
import type { OperationRegistrar } from '../operations/persisted/registrar.ts'
import type { RegistryAdmin } from '../operations/persisted/registry-admin.ts'

/** The cached entries of the registry in this process. */
export interface RegistryCache {
  /** Makes this process read the entries of a client again. */
  forget(of: ClientOf): void
}

/** The parts of a deployment's registry that administrators need. */
export interface RegistryParts {
  readonly registrar: OperationRegistrar
  /** The cache that requests are served from. */
  readonly cache: RegistryCache
}

/** The administration of the registry under the policy that the deployment runs. */
export interface OperationAdministration {
  readonly admin: RegistryAdmin
  readonly cache: RegistryCache
}
