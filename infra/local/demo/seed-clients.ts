import type { OperationAdmin } from '../../../gateway/admin/operation-admin.ts'
import { type TenantId, tenantId } from '../../../gateway/model/ids.ts'
import { refuseProduction } from '../../../gateway/model/stage.ts'
import { type AdminRefusal, adminRefusalText } from '../../../gateway/operations/persisted/admin-refusal.ts'
import { counted } from '../../../gateway/model/counted.ts'
import { clientFile, DEMO_CLIENTS, type DemoClient } from './demo-clients.ts'

export interface ClientSeeding {
  /** Stage of the destination. Undefined is refused like production. */
  readonly stage: string | undefined
  /** Opens the registry of a tenant that has keys. */
  readonly openOperations: (tenant: TenantId) => Promise<OperationAdmin>
  readonly log: (line: string) => void
}

/** The registry refused a demo client: its files do not agree with the schema and the policy. */
class DemoClientRefused extends Error {
  override readonly name = 'DemoClientRefused'
  constructor({ client }: DemoClient, refusal: AdminRefusal) {
    super(
      [`The files in infra/local/demo/clients/${client} do not agree with the schema.`, ...adminRefusalText(refusal)].join('\n'),
    )
  }
}

/**
 * Registers the demo clients: puts their contracts in force and publishes their operations, as `phi operations` does. A client that has
 * a contract or operations keeps them, so that a restart does not undo what a developer changed.
 *
 * @throws StageRefused before anything is opened
 * @throws DemoClientRefused, UnknownTenant, and errors of the registry
 */
export async function seedClients({ stage, openOperations, log }: ClientSeeding): Promise<void> {
  refuseProduction({ PHI_STAGE: stage })
  for (const name of new Set(DEMO_CLIENTS.flatMap(({ tenants }) => tenants))) {
    const tenant = tenantId(name)
    if (tenant === undefined) throw new TypeError('A demo tenant has an invalid name.')
    const admin = await openOperations(tenant)
    try {
      for (const client of DEMO_CLIENTS.filter(({ tenants }) => tenants.includes(name))) {
        const count = await seedClient(admin, tenant, client)
        if (count > 0) log(`${name}: ${counted(count, 'operation')} of ${client.client}`)
      }
    } finally {
      admin.close()
    }
  }
}

/** Returns the number of operations that it registered. */
async function seedClient(admin: OperationAdmin, tenant: TenantId, demo: DemoClient): Promise<number> {
  const { decisions, by } = admin
  const { client, isPartner, appVersion } = demo
  const found = await decisions.show({ tenant, client })
  if (isPartner && found?.client.contract === undefined) {
    const decision = await decisions.approveContract(tenant, clientFile(client, 'contract.json'), by)
    if (decision.refused !== undefined) throw new DemoClientRefused(demo, decision)
    await admin.commit('contract', decision.changes)
  }
  if (found !== undefined && found.operations.length > 0) return 0
  const manifest = clientFile(client, 'manifest.json')
  const decision = await decisions.publish({ tenant, client }, { manifest, ...(appVersion && { appVersion }), isActive: true, by })
  if (decision.refused !== undefined) throw new DemoClientRefused(demo, decision)
  await admin.commit('publish', decision.changes)
  return decision.report.operations.length
}
