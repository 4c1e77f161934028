import { userInfo } from 'node:os'
import { randomBytes } from 'node:crypto'
import type { AuditContext, TimedAccess } from '../audit/entry.ts'
import { newRequestId } from '../audit/request-id.ts'
import type { KeyAct, KeyChanger, KeyChanges } from '../crypto/key-changes.ts'
import { KeyRotation } from '../crypto/key-rotation.ts'
import { VersionConflict } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant } from '../model/ids.ts'
import { type Env, openServices, type Services } from '../compose.ts'

export interface KeyAdmin {
  readonly rotation: KeyRotation
  close(): void
}

/** What stands in the audit as the path of a changed key: no path of a schema begins so. */
const PATHS: Readonly<Record<KeyAct, SchemaPath>> = {
  ROTATE: '#tenant-key' as SchemaPath,
  REWRAP: '#patient-key.wrapping' as SchemaPath,
  RENEW_USE: '#use-key' as SchemaPath,
  RENEW_PATIENT: '#patient-key' as SchemaPath,
}
const DEADLINE_MS = 30_000

/**
 * Opens the keys of a deployment for changing them, under the account that does it.
 *
 * @param policy digest of the policy lock, for the audit
 * @throws ZodError for a missing variable
 */
export function keyAdmin(policy: string, env: Env): KeyAdmin {
  const services = openServices(env)
  return { rotation: keyRotation(services, policy), close: () => services.close() }
}

/** Key changes over the services of a process. A change and its audit record are stored together or not at all. */
export function keyRotation({ kms, kmsKeysFor, keys, audit, process, now }: Services, policy: string): KeyRotation {
  const changer: KeyChanger = {
    pages: (tenant) => keys.pages(tenant),
    write: async (tenant, act, changes) => {
      const context: AuditContext = {
        tenant,
        requestId: newRequestId(process, now(), randomBytes),
        user: `os:${userInfo().username}`,
        roles: [],
        client: 'phi-keys',
        purpose: 'HOPERAT',
        operation: 'keys',
        persisted: false,
        policy,
      }
      try {
        await audit.commit(context, keys.change(tenant, changes), [recordOf(act, changes, now() as Instant)], now() + DEADLINE_MS)
        return 'written'
      } catch (error) {
        if (error instanceof VersionConflict) return 'changed'
        throw error
      }
    },
  }
  return new KeyRotation({ kms, table: keys, changer, now, kmsKeysFor })
}

/** Wrapping a key anew changes no right and concerns nobody in particular; a new key of a patient is told as theirs. */
function recordOf(act: KeyAct, { patients }: KeyChanges, at: Instant): TimedAccess {
  const [only] = act === 'RENEW_PATIENT' ? patients : []
  return {
    path: PATHS[act],
    action: 'UPDATE',
    outcome: 'WRITTEN',
    at,
    ...(only && { patient: only.patient }),
    ...(act === 'REWRAP' && { count: patients.length }),
  }
}
