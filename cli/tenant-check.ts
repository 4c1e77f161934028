import type { Command } from 'commander'
import * as z from 'zod'
import { openServices, type Services } from '../gateway/compose.ts'
import { type TenantId, tenantId } from '../gateway/model/ids.ts'
import { LOCAL_STAGE } from '../infra/local/environment.ts'
import { unknownText } from './choices.ts'
import { Refused } from './refused.ts'

type Env = Readonly<Record<string, string | undefined>>

const CREATE = 'Create a tenant with: phi keys create TENANT'

/**
 * The message for a tenant without keys. It names the tenants of the local stack. A deployment can be shared: the tenants of others are
 * in no message.
 */
export function unknownTenantText(given: string, env: Env): string {
  const known = (env['PHI_NOTARY_TENANTS'] ?? '').split(',').filter((name) => name !== '')
  if (env['PHI_STAGE'] !== LOCAL_STAGE)
    return `the deployment has no such tenant (--tenant). Its setting PHI_NOTARY_TENANTS lists the tenants. ${CREATE}`
  return `${unknownText(given, { noun: 'tenant', of: 'the local stack', known, option: '--tenant' })} ${CREATE}`
}

/**
 * Refuses a command on a tenant without keys: an empty answer about a tenant that does not exist reads as a tenant without data.
 *
 * @throws Refused
 */
export async function requireTenant(command: Command): Promise<void> {
  const tenant = tenantOf(command)
  if (tenant === undefined) return
  let services: Services
  try {
    services = openServices(process.env)
  } catch (error) {
    // the command itself reports settings that are missing, unless its stage is refused first
    if (error instanceof z.ZodError) return
    throw error
  }
  try {
    if (await services.keyring.hasTenant(tenant)) return
  } finally {
    services.close()
  }
  throw new Refused(unknownTenantText(tenant, process.env))
}

/** The value of `--tenant`, or of an argument `<tenant>`. */
function tenantOf(command: Command): TenantId | undefined {
  const at = command.registeredArguments.findIndex((argument) => argument.name() === 'tenant')
  const given: unknown = at === -1 ? command.opts()['tenant'] : command.processedArgs[at]
  return typeof given === 'string' ? tenantId(given) : undefined
}
