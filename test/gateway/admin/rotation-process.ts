import { setTimeout as sleep } from 'node:timers/promises'
import { searchIndexes } from '../../../directives/searchable.ts'
import { tenantRotation } from '../../../gateway/admin/key-admin.ts'
import { openServices } from '../../../gateway/compose.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { clinicLock } from '../../../schema/clinic.ts'

// A rotation in a process of its own, which a test can kill. It prints the step and the finished patients.

const [, , later = '0'] = process.argv
const services = openServices(process.env, { now: () => Date.now() + Number(later) })
const rotation = tenantRotation(services, 'f'.repeat(64), searchIndexes(clinicLock()), () => sleep(20))
const { refused } = await rotation.run('riverside' as TenantId, 'all', ({ step, done }) =>
  process.stdout.write(`${step} ${done}\n`),
)
process.stdout.write(`END ${refused}\n`)
services.close()
