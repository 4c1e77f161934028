import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { compilePolicy } from '../../../../directives/compile.ts'
import { type OperationAdmin, openOperationAdmin } from '../../../../gateway/admin/operation-admin.ts'
import { openServices } from '../../../../gateway/compose.ts'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import { StageRefused } from '../../../../gateway/model/stage.ts'
import { clientFile } from '../../../../infra/local/demo/demo-clients.ts'
import { seedClients } from '../../../../infra/local/demo/seed-clients.ts'
import { startStack, type Stack } from '../../../../infra/local/stack.ts'
import { clinicTypeDefs } from '../../../../schema/clinic.ts'

const RIVERSIDE = 'riverside' as TenantId
const ACME = { tenant: RIVERSIDE, client: 'acme' }
const compiled = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const ids = (client: string): readonly string[] =>
  (JSON.parse(clientFile(client, 'manifest.json')) as { readonly operations: readonly { readonly id: string }[] }).operations
    .map(({ id }) => id)
    .toSorted()

let folder: string
let stack: Stack
let admin: OperationAdmin
let lines: string[]

const openOperations = (tenant: TenantId) => openOperationAdmin(tenant, compiled, stack.env)
const seed = (open = openOperations) =>
  seedClients({ stage: stack.env.PHI_STAGE, openOperations: open, log: (line) => void lines.push(line) })

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-test-'))
  stack = await startStack({ dataFolder: folder, port: 0, namespace: `test-${randomUUID()}` })
  const services = openServices(stack.env)
  for (const tenant of [RIVERSIDE, 'lakeside' as TenantId]) await services.keyring.createTenant(tenant)
  services.close()
  admin = await openOperations(RIVERSIDE)
})
afterAll(async () => {
  admin.close()
  await stack.stop()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => {
  lines = []
})

it('continues after it was interrupted between the contract and the operations', async () => {
  const interrupted = async (tenant: TenantId): Promise<OperationAdmin> => {
    const opened = await openOperations(tenant)
    const commit: OperationAdmin['commit'] = async (operation, changes) => {
      if (operation === 'publish') throw new Error('interrupted')
      await opened.commit(operation, changes)
    }
    return { ...opened, commit }
  }
  await expect(seed(interrupted)).rejects.toThrow('interrupted')
  expect((await admin.decisions.show(ACME))?.operations).toEqual([])
  await seed()
  expect(lines).toEqual([
    'riverside: 6 operations of acme',
    'riverside: 5 operations of portal',
    'lakeside: 5 operations of portal',
  ])
})

it('registers acme under its contract, and portal as a version of an app, so that all operations are proved', async () => {
  const [acme, portal] = await Promise.all(['acme', 'portal'].map((client) => admin.decisions.show({ tenant: RIVERSIDE, client })))
  expect(acme?.client.contract?.recipient.name).toBe('Acme Health Plan')
  expect(acme?.operations.map(({ id }) => id).toSorted()).toEqual(ids('acme'))
  expect(portal?.client.contract).toBeUndefined()
  expect(portal?.client).toMatchObject({ apps: { 'portal-web': { '1.0.0': 'ACTIVE' } } })
  expect(portal?.operations.map(({ id }) => id).toSorted()).toEqual(ids('portal'))
  expect((await admin.decisions.check(RIVERSIDE)).refused).toEqual([])
})

it('changes nothing at the next start, not even a narrower contract or a revoked operation', async () => {
  const narrow = JSON.stringify({ ...(JSON.parse(clientFile('acme', 'contract.json')) as object), maxPage: 7 })
  for (const decide of [
    () => admin.decisions.approveContract(RIVERSIDE, narrow, admin.by),
    () => admin.decisions.revoke(ACME, ids('acme')[0] ?? '', admin.by),
  ]) {
    const decision = await decide()
    if (decision.refused !== undefined) throw new Error(decision.refused)
    await admin.commit('test', decision.changes)
  }
  const before = await admin.decisions.show(ACME)
  await seed()
  expect(lines).toEqual([])
  expect(await admin.decisions.show(ACME)).toEqual(before)
  expect(before?.client.contract?.maxPage).toBe(7)
})

it('opens nothing in production', async () => {
  const open = () => Promise.reject(new Error('opened'))
  await expect(seedClients({ stage: 'production', openOperations: open, log: () => undefined })).rejects.toThrow(StageRefused)
})
