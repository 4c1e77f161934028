import { type TenantId, tenantId } from '../../model/ids.ts'
import type { ObjectStore } from '../../model/object-store.ts'

/** The tenants that have objects in the store of sealed logs. It takes one request for each tenant. */
export async function logTenants(log: Pick<ObjectStore, 'list'>): Promise<TenantId[]> {
  const tenants: TenantId[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const first: string | undefined = await firstOf(log.list('', after === '' ? undefined : after))
    const folder: string | undefined = first?.split('/', 1)[0]
    const tenant = folder === undefined ? undefined : tenantId(folder)
    if (tenant !== undefined) tenants.push(tenant)
    // no name of an object has a character after this one
    after = folder === undefined ? undefined : `${folder}/~`
  }
  return tenants
}

async function firstOf(names: AsyncIterable<string>): Promise<string | undefined> {
  for await (const name of names) return name
  return undefined
}
