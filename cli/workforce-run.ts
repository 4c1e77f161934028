import { readFileSync } from 'node:fs'
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
import { clinicLock } from '../schema/clinic.ts'
import { printLine } from './terminal.ts'
import { readWorkforceFile, WorkforceRefused } from './workforce-file.ts'

/** Makes the workforce of a tenant equal to a file, and prints the counts. */
export async function importWorkforce(tenant: TenantId, file: string, command: Command): Promise<void> {
  await withAdmin(tenant, command, async (admin) => linesOf(await admin.put(readWorkforceFile(bytesOf(file, command)))))
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
  const admin = openWorkforceAdmin(tenant, lockDigest(clinicLock()), process.env)
  try {
    for (const line of await act(admin)) printLine(line)
  } catch (failure) {
    const isExpected =
      failure instanceof WorkforceRefused || failure instanceof UnknownTenant || failure instanceof ComparisonKeyMissing
    if (isExpected) command.error(`error: ${failure.message}`)
    throw failure
  } finally {
    admin.close()
  }
}

function bytesOf(file: string, command: Command): Uint8Array {
  try {
    return readFileSync(file)
  } catch {
    return command.error('error: Cannot read the file. Check its path.')
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
