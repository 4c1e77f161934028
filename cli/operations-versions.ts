import { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import type { OperationAdmin } from '../gateway/admin/operation-admin.ts'
import type { OperationUses } from '../gateway/model/operation-use.ts'
import { DAY_MS, DEFAULT_USE_DAYS } from '../gateway/operations/persisted/registry-admin.ts'
import { requireClient } from './known-operations.ts'
import { admitted, withAdmin } from './operation-session.ts'
import { wholeOption } from './operations-propose.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'

interface OfClient {
  readonly tenant: TenantId
  readonly client: string
}

interface OfVersion extends OfClient {
  readonly app: string
  readonly version: string
}

/** `phi operations activate`: serves a version. */
export function activateCommand(): Command {
  return ofVersion('activate', 'serve the operations of a version from now on').action(
    async ({ tenant, client, app, version }: OfVersion) => {
      await withAdmin(tenant, async (admin) => {
        const { decisions, commit } = admin
        await requireClient(admin, tenant, { client, app, version })
        const { changes } = admitted(await decisions.activate({ tenant, client }, { app, version }))
        await commit('activate', changes)
        printLine(changes.length === 0 ? 'already active' : 'active')
      })
    },
  )
}

/** `phi operations retire`: no longer serves a version. */
export function retireCommand(): Command {
  return ofVersion('retire', 'no longer serve the operations of a version, except those in another active version')
    .option('--days <number>', 'the days that a use of an operation counts', wholeOption, DEFAULT_USE_DAYS)
    .option('--force', 'retire the version although its operations were used, or their use is not known')
    .addHelpText('after', '\nUses come from the audit tables, which lag by about two minutes.')
    .action(async (options: OfVersion & { readonly days: number; readonly force?: true }) => {
      const { tenant, client, app, version, days, force = false } = options
      await withAdmin(tenant, async (admin) => {
        await requireClient(admin, tenant, { client, app, version })
        const uses = await usesOrUnknown(admin, Date.now() - days * DAY_MS)
        const request = { uses, days, isForced: force }
        const { changes } = admitted(await admin.decisions.retire({ tenant, client }, { app, version }, request))
        await admin.commit('retire', changes)
        printLine(changes.length === 0 ? 'already retired' : 'retired')
      })
    })
}

/** `phi operations revoke`: refuses an operation in all versions. */
export function revokeCommand(): Command {
  return ofClient('revoke', 'refuse an operation in all versions, for good; takes effect within 30 seconds')
    .argument('<id>', 'the id of the operation')
    .action(async (id: string, { tenant, client }: OfClient) => {
      await withAdmin(tenant, async (admin) => {
        const { decisions, by, commit } = admin
        await requireClient(admin, tenant, { client, id })
        const { changes } = admitted(await decisions.revoke({ tenant, client }, id, by))
        await commit('revoke', changes)
        printLine(changes.length === 0 ? 'already revoked' : 'revoked')
      })
    })
}

/** The uses, or undefined with a warning: uses that cannot be read are not no uses. */
export async function usesOrUnknown(admin: OperationAdmin, from?: number): Promise<OperationUses | undefined> {
  try {
    const uses = await admin.uses(from)
    const reached = uses.until === undefined ? 'have nothing yet' : `reach ${new Date(uses.until).toISOString()}`
    printLine(`the audit tables ${reached}`, 'stderr')
    return uses
  } catch (error) {
    printLine(`the audit tables cannot be read: ${error instanceof Error ? error.name : 'failed'}`, 'stderr')
    return undefined
  }
}

function ofClient(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption('--tenant <tenant>', 'the tenant of the client', tenantOption)
    .requiredOption('--client <client>', 'the client id, as tokens name it')
}

function ofVersion(name: string, description: string): Command {
  return ofClient(name, description)
    .requiredOption('--app <name>', 'the application')
    .requiredOption('--version <version>', 'the version of the application')
}
