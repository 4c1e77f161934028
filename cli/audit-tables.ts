import { Command } from 'commander'
import { NoSealedLog } from '../gateway/admin/audit-objects.ts'
import { openTableAdmin, type TableAdmin } from '../gateway/admin/audit-tables.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import type { Recount } from '../gateway/oversight/tables/recount.ts'
import {
  LogShortened,
  MalformedSegment,
  ManifestUnreadable,
  SegmentMissing,
  TableAltered,
} from '../gateway/oversight/tables/table-faults.ts'
import { positionProgress } from './position-progress.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'

interface TenantFlag {
  readonly tenant: TenantId
}

/** Differences that are printed one by one. */
const MAX_PRINTED = 50
const DIFFERENT = 1
const CANNOT_COUNT = 2

/** Their messages state what to do, and have no value. */
const FAULTS = [NoSealedLog, LogShortened, MalformedSegment, ManifestUnreadable, SegmentMissing, TableAltered]

/** `phi audit rebuild`: makes the audit tables of a tenant anew from the sealed log. */
export function rebuildCommand(): Command {
  return new Command('rebuild')
    .description('make the audit tables of a tenant anew from the sealed log, and compare their counts with the log')
    .option('--tenant <tenant>', 'the tenant of the audit log', tenantOption, tenantOption('riverside'))
    .addHelpText('after', '\nQuestions get the answers of the part that is made, until it ends. Exit code: as phi audit recount.')
    .action(async ({ tenant }: TenantFlag, command: Command) => {
      await withTables(command, 'items in tables', (admin, onProgress) => admin.rebuild(tenant, onProgress))
      report(await withTables(command, 'items counted', (admin, onProgress) => admin.recount(tenant, onProgress)))
    })
}

/** `phi audit recount`: compares the audit tables of a tenant with the sealed log. */
export function recountCommand(): Command {
  return new Command('recount')
    .description('count the field records of the audit tables and of the sealed log by path and outcome, and compare them')
    .option('--tenant <tenant>', 'the tenant of the audit log', tenantOption, tenantOption('riverside'))
    .addHelpText('after', '\nExit code: 0 if all counts are equal, 1 if one is not, 2 if tables or log cannot be read.')
    .action(async ({ tenant }: TenantFlag, command: Command) => {
      report(await withTables(command, 'items counted', (admin, onProgress) => admin.recount(tenant, onProgress)))
    })
}

async function withTables<T>(
  command: Command,
  what: string,
  work: (admin: TableAdmin, onProgress: (done: number, all: number) => void) => Promise<T>,
): Promise<T> {
  const progress = positionProgress(process.stderr, what)
  try {
    return await work(openTableAdmin(process.env), progress.update)
  } catch (error) {
    progress.stop()
    if (!FAULTS.some((fault) => error instanceof fault)) throw error
    return command.error(`error: ${(error as Error).message}`, { exitCode: CANNOT_COUNT })
  } finally {
    progress.stop()
  }
}

function report({ size, logSize, records, differences }: Recount): void {
  const isEqual = differences.length === 0
  if (!isEqual) process.exitCode = DIFFERENT
  const verdict = isEqual ? 'the tables equal the log' : `${number(differences.length)} counts differ`
  printLine(`${number(records)} field records in ${number(size)} of ${number(logSize)} sealed items: ${verdict}`)
  for (const { start, end, path, outcome, inTables, inLog } of differences.slice(0, MAX_PRINTED))
    printLine(`positions ${start} to ${end}: ${path} ${outcome}, ${number(inTables)} in the tables, ${number(inLog)} in the log`)
}

const number = (value: number): string => value.toLocaleString('en-US')
