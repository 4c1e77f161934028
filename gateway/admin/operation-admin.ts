import { userInfo } from 'node:os'
import * as z from 'zod'
import { ItemPacker } from '../audit/item-packer.ts'
import { type Env, openServices } from '../compose.ts'
import type { Instant, TenantId } from '../model/ids.ts'
import type { OperationUses } from '../model/operation-use.ts'
import { type ProofParts, Prover } from '../operations/contracts/prove.ts'
import { OperationRegistrar } from '../operations/persisted/registrar.ts'
import { RegistryAdmin } from '../operations/persisted/registry-admin.ts'
import type { Change } from '../operations/persisted/registry-change.ts'
import { DEFAULT_LIMITS, LimitsText } from '../operations/value-limits.ts'
import { operationUses } from '../oversight/tables/operation-uses.ts'
import { openTableObjects } from '../store/open-tables.ts'
import { UnknownTenant } from './open-store.ts'
import { operatorContext } from './operator-context.ts'

/** The registry of operations of one tenant, open for an operator. */
export interface OperationAdmin {
  readonly decisions: RegistryAdmin
  /** The operator as approvals name it: `os:` and the account of the operating system. */
  readonly by: string
  /**
   * Commits the changes of a decision in their order, each in one transaction with its audit record. If it fails, the decision can be made
   * again.
   *
   * @param operation the work of the command, for the audit: `publish`
   * @throws VersionConflict, AuditUnavailable
   */
  readonly commit: (operation: string, changes: readonly Change[]) => Promise<void>
  /**
   * Reads the uses of operations from the audit tables.
   *
   * @param from milliseconds since the epoch
   * @throws ZodError if the environment names no tables; ManifestUnreadable, TableAltered, StoreUnavailable
   */
  uses(from?: number): Promise<OperationUses>
  close(): void
}

const LimitsEnvironment = z.object({ PHI_LIMITS: LimitsText.default(DEFAULT_LIMITS) })
/** The limit for writing one change, in milliseconds. */
const WRITE_MS = 30_000

/** The limits of a deployment, for proofs: `PHI_LIMITS`, or the defaults. @throws ZodError */
export const proofLimits = (env: Env): ProofParts['limits'] => LimitsEnvironment.parse(env).PHI_LIMITS

/**
 * Opens the registry of a tenant for administration. The audit names the operator's account.
 *
 * @param compiled the schema and policy of the deployment
 * @throws UnknownTenant; ZodError for a missing variable, KeyUnavailable, StoreUnavailable
 */
export async function openOperationAdmin(
  tenant: TenantId,
  compiled: Pick<ProofParts, 'schema' | 'policy'>,
  env: Env,
): Promise<OperationAdmin> {
  const prover = new Prover({ ...compiled, limits: proofLimits(env) })
  const services = openServices(env)
  const { keyring, operations: table, recipients, now, audit } = services
  const isKnown = await keyring.hasTenant(tenant).catch((error: unknown) => {
    services.close()
    throw error
  })
  if (!isKnown) {
    services.close()
    throw new UnknownTenant()
  }
  const registrar = new OperationRegistrar({ table, recipients, keyring, now })
  return {
    decisions: new RegistryAdmin({ registrar, prover, now }),
    by: `os:${userInfo().username}`,
    async commit(operation, changes) {
      const policy = compiled.policy.digest
      const packer = new ItemPacker(operatorContext(services, { tenant, client: 'phi-operations', operation, policy }))
      for (const { writes, record } of changes) {
        const at = now() as Instant
        await audit.commit(writes, packer.ofWrite([{ ...record, at }]), at + WRITE_MS)
      }
    },
    uses: async (from) => await operationUses(openTableObjects(env), tenant, from),
    close: () => {
      services.close()
    },
  }
}
