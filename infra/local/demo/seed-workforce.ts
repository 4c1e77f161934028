import type { WorkforceAdmin, WorkforceEntry } from '../../../gateway/admin/workforce-admin.ts'
import { type TenantId, tenantId } from '../../../gateway/model/ids.ts'
import { refuseProduction } from '../../../gateway/model/stage.ts'
import { DEMO_USERS, type DemoUser } from '../users.ts'
import { demoBundles } from './bundles.ts'

/** This user lives in the street of the demo patient with this number. */
const NEIGHBOR = { user: 'frontdesk', patient: 4 } as const
const NO_WORKFORCE: ReadonlySet<string> = new Set(['PATIENT', 'PROXY', 'PARTNER'])

/** The rows of the demo users of a tenant. A demo user represents a role, so that its display name is that of the role. */
function demoWorkforce(tenant: DemoUser['tenant']): readonly WorkforceEntry[] {
  return DEMO_USERS.filter((one) => one.tenant === tenant && !NO_WORKFORCE.has(one.role)).map(({ name: user, role }) => {
    const name = `Demo ${role.toLowerCase().replaceAll('_', ' ')}`
    return { user, name, vip: false, values: tenant === 'riverside' && user === NEIGHBOR.user ? nextDoor() : {} }
  })
}

/** The address beside that of the demo patient. */
function nextDoor(): WorkforceEntry['values'] {
  const [bundle] = [...demoBundles({ tenant: 'riverside', count: NEIGHBOR.patient })].slice(-1)
  const patient = bundle?.entry.find(({ resource }) => resource.resourceType === 'Patient')?.resource
  const [address] = (patient?.['address'] ?? []) as readonly { readonly line: readonly string[]; readonly postalCode: string }[]
  const street = address?.line[0]?.replace(/^\d+/, (number) => String(Number(number) + 2))
  return { street, postalCode: address?.postalCode }
}

/**
 * Imports the demo users as the workforce of their tenants. Repeating it changes nothing.
 *
 * @throws StageRefused before anything is opened; otherwise as `WorkforceAdmin.put`
 */
export async function seedWorkforce({
  stage,
  openWorkforce,
}: {
  readonly stage: string | undefined
  readonly openWorkforce: (tenant: TenantId) => WorkforceAdmin
}): Promise<void> {
  refuseProduction({ PHI_STAGE: stage })
  for (const name of ['riverside', 'lakeside'] as const) {
    const tenant = tenantId(name)
    if (tenant === undefined) continue
    const admin = openWorkforce(tenant)
    try {
      await admin.put(demoWorkforce(name))
    } finally {
      admin.close()
    }
  }
}
