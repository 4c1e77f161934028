import { lockDigest } from '../directives/compile.ts'
import { type KeyAdmin, keyAdmin } from '../gateway/admin/key-admin.ts'
import { projectLock } from '../schema/project.ts'

/** The keys of the system that the environment names. The caller closes it. */
export const openKeyAdmin = (): KeyAdmin => keyAdmin(lockDigest(projectLock()), process.env)
