import { lockDigest } from '../directives/compile.ts'
import { type KeyAdmin, keyAdmin } from '../gateway/admin/key-admin.ts'
import { clinicLock } from '../schema/clinic.ts'

/** The keys of the system that the environment names. The caller closes it. */
export const openKeyAdmin = (): KeyAdmin => keyAdmin(lockDigest(clinicLock()), process.env)
