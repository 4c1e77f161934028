import { setTimeout as sleep } from 'node:timers/promises'
import type { TimedAccess } from '../audit/entry.ts'
import { ItemPacker } from '../audit/item-packer.ts'
import type { KeyAct, KeyChanger, KeyChanges } from '../crypto/key-changes.ts'
import type { KeyUse } from '../crypto/key-table.ts'
import { KeyRotation } from '../crypto/key-rotation.ts'
import { rotationDays } from '../crypto/key-schedule.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import { VersionConflict } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant, TenantId } from '../model/ids.ts'
import { type Env, openServices, type Services } from '../compose.ts'
import { operatorContext } from './operator-context.ts'
import { searchReindexer } from './search-admin.ts'
import { TenantRotation } from './tenant-rotation.ts'

export interface KeyAdmin {
  readonly rotation: KeyRotation
  readonly tenants: TenantRotation
  /** The longest time between two rotations of a key: `PHI_KEY_ROTATION_DAYS`. */
  readonly rotationDays: number
  /**
   * Creates the keys of a new tenant. A tenant that exists gets the purpose keys that it lacks.
   *
   * @returns the uses of the added keys, for a tenant that exists
   * @throws KeyUnavailable, StoreUnavailable; for a tenant that exists, the errors of `KeyRotation.addMissingUses`
   */
  create(tenant: TenantId): Promise<'created' | readonly KeyUse[]>
  close(): void
}

/** The path of a changed key in the audit. No path of a schema begins with `#`. */
const PATHS: Readonly<Record<KeyAct, SchemaPath>> = {
  ROTATE: '#tenant-key' as SchemaPath,
  ADD_USE: '#purpose-key' as SchemaPath,
  REWRAP: '#patient-key.wrapping' as SchemaPath,
  RENEW_USE: '#purpose-key' as SchemaPath,
  RETIRE_USE: '#purpose-key' as SchemaPath,
  RENEW_PATIENT: '#patient-key' as SchemaPath,
}
/** A change of another kind updates its key. */
const ACTIONS: Readonly<Partial<Record<KeyAct, 'CREATE' | 'DELETE'>>> = { ADD_USE: 'CREATE', RETIRE_USE: 'DELETE' }
const DEADLINE_MS = 30_000

/**
 * Opens the keys of a deployment for administration. The audit names the operator's account.
 *
 * @param policy digest of the policy lock, for the audit
 * @param searchable `searchIndexes` of the policy lock
 * @throws ZodError for a missing variable
 */
export function keyAdmin(policy: string, env: Env, searchable: readonly SearchIndex[]): KeyAdmin {
  const services = openServices(env)
  const rotation = keyRotation(services, policy)
  return {
    rotation,
    rotationDays: rotationDays(env),
    tenants: tenantRotation(services, policy, searchable),
    async create(tenant) {
      if (await services.keyring.hasTenant(tenant)) return await rotation.addMissingUses(tenant)
      await services.keyring.createTenant(tenant)
      return 'created'
    },
    close: () => services.close(),
  }
}

/**
 * The rotation of a tenant's keys, with its search entries, over the services of a process.
 *
 * @param pause waits for so many milliseconds
 */
export function tenantRotation(
  services: Services,
  policy: string,
  searchable: readonly SearchIndex[],
  pause: (ms: number) => Promise<unknown> = sleep,
): TenantRotation {
  const { keys, rotationRuns: runs, now } = services
  const rotation = keyRotation(services, policy)
  return new TenantRotation({ rotation, runs, keys, reindexer: searchReindexer(services, policy, searchable), now, sleep: pause })
}

/** Key rotation over the services of a process. One transaction stores a change and its audit record. */
export function keyRotation(services: Services, policy: string): KeyRotation {
  const { kms, kmsKeysFor, keys, audit, now } = services
  const changer: KeyChanger = {
    pages: (tenant) => keys.pages(tenant),
    write: async (tenant, act, changes) => {
      const context = operatorContext(services, { tenant, client: 'phi-keys', operation: 'keys', policy })
      try {
        const items = new ItemPacker(context).ofWrite([recordOf(act, changes, now() as Instant)])
        await audit.commit(keys.change(tenant, changes), items, now() + DEADLINE_MS)
        return 'written'
      } catch (error) {
        if (error instanceof VersionConflict) return 'changed'
        throw error
      }
    },
  }
  return new KeyRotation({ kms, table: keys, changer, now, kmsKeysFor })
}

/** A new patient key is recorded for its patient. A rewrap changes no access and covers many patients: it records their count. */
function recordOf(act: KeyAct, { patients }: KeyChanges, at: Instant): TimedAccess {
  const [only] = act === 'RENEW_PATIENT' ? patients : []
  return {
    path: PATHS[act],
    action: ACTIONS[act] ?? 'UPDATE',
    outcome: 'WRITTEN',
    at,
    ...(only && { patient: only.patient }),
    ...(act === 'REWRAP' && { count: patients.length }),
  }
}
