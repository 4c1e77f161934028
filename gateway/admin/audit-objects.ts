import type { Env } from '../compose.ts'
import type { ObjectStore } from '../model/object-store.ts'
import { NoSealedLog } from '../oversight/log/stored-log.ts'
import { openObjects } from '../store/open-objects.ts'

/** The bucket or the folder of the sealed log. */
const AUDIT_OBJECTS_VARIABLE = 'PHI_AUDIT_OBJECTS'

/** @throws NoSealedLog if the environment names no store; ZodError if it names a malformed one */
export function openAuditObjects(env: Env): ObjectStore {
  if (env[AUDIT_OBJECTS_VARIABLE] === undefined) throw new NoSealedLog(`No sealed log: set ${AUDIT_OBJECTS_VARIABLE}.`)
  return openObjects(env)
}
