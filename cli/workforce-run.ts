import type { Command } from 'commander'
import { lockDigest } from '../directives/compile.ts'
import { UnknownTenant } from '../gateway/admin/open-store.ts'
import {
  ComparisonKeyMissing,
  type ListedWorker,
  openWorkforceAdmin,
  type WorkforceAdmin,
  type WorkforceCounts,
} from '../gateway/admin/workforce-admin.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { projectLock } from '../schema/project.ts'
import { readInput } from './files.ts'
import { unknownTenantText } from './tenant-check.ts'
import { printLine } from './terminal.ts'
import { readWorkforceFile, WorkforceRefused } from './workforce-file.ts'

/** Makes the workforce of a tenant equal to a file, and prints the counts. */
export async function importWorkforce(tenant: TenantId, file: string, command: Command): Promise<void> {
  await withAdmin(tenant, command, async (admin) => linesOf(await admin.put(readWorkforceFile(readInput(file, '<file>')))))
}

/** Prints the workforce of a tenant: users, names, and the kinds of values to compare. */
export async function listWorkforce(tenant: TenantId, command: Command): Promise<void> {
  await withAdmin(tenant, command, async (admin) => {
    const workers = await admin.list()
    return workers.length === 0 ? ['no workforce'] : workers.map(lineOf)
  })
}

async function withAdmin(
  tenant: TenantId,
  command: Command,
  act: (admin: WorkforceAdmin) => Promise<readonly string[]>,
): Promise<void> {
  const admin = openWorkforceAdmin(tenant, lockDigest(projectLock()), process.env)
  try {
    for (const line of await act(admin)) printLine(line)
  } catch (failure) {
    if (failure instanceof UnknownTenant) command.error(`error: ${unknownTenantText(tenant, process.env)}`)
    if (failure instanceof WorkforceRefused || failure instanceof ComparisonKeyMissing) command.error(`error: ${failure.message}`)
    throw failure
  } finally {
    admin.close()
  }
}

function linesOf(counts: WorkforceCounts): readonly string[] {
  const { added, changed, unchanged, removed, addressesWithoutToken, phonesWithoutToken } = counts
  return [
    `added ${added}, changed ${changed}, unchanged ${unchanged}, removed ${removed}`,
    ...(addressesWithoutToken === 0 ? [] : [`rows with an address that cannot be compared: ${addressesWithoutToken}`]),
    ...(phonesWithoutToken === 0 ? [] : [`rows with a phone number that cannot be compared: ${phonesWithoutToken}`]),
  ]
}

function lineOf({ user, name, isDamaged, vip, kinds }: ListedWorker): string {
  const by = kinds.length === 0 ? 'compared by nothing' : `compared by ${kinds.join(' ')}`
  return [user ?? '(no user)', isDamaged ? '(damaged: import again)' : (name ?? '(no name)'), ...(vip ? ['VIP'] : []), by].join(
    '  ',
  )
}
