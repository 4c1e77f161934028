import { lockDigest } from '../directives/compile.ts'
import { searchIndexes } from '../directives/searchable.ts'
import { type KeyAdmin, keyAdmin } from '../gateway/admin/key-admin.ts'
import { projectLock } from '../schema/project.ts'

/** The keys of the system that the environment names. The caller closes it. */
export function openKeyAdmin(): KeyAdmin {
  const lock = projectLock()
  return keyAdmin(lockDigest(lock), process.env, searchIndexes(lock))
}
