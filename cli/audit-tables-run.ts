import type { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { NoSealedLog } from '../gateway/oversight/log/stored-log.ts'
import { openTableAdmin, type TableAdmin } from '../gateway/admin/audit-tables.ts'
import type { Recount } from '../gateway/oversight/tables/recount.ts'
import {
  LogShortened,
  MalformedSegment,
  ManifestUnreadable,
  SegmentMissing,
  TableAltered,
} from '../gateway/oversight/tables/table-faults.ts'
import { counted } from '../gateway/model/counted.ts'
import { SEALED_SOON } from './audit-session.ts'
import { positionProgress } from './position-progress.ts'
import { printLine } from './terminal.ts'

export interface TenantFlag {
  readonly tenant: TenantId
}

/** Differences that are printed one by one. */
const MAX_PRINTED = 50
const DIFFERENT = 1
const CANNOT_COUNT = 2

/** Their messages state what to do, and have no value. */
const FAULTS = [NoSealedLog, LogShortened, MalformedSegment, ManifestUnreadable, SegmentMissing, TableAltered]

/** Makes the tables of a tenant anew, and compares their counts with the log. */
export async function rebuild(flag: TenantFlag, command: Command): Promise<void> {
  await withTables(command, 'items in tables', (admin, onProgress) => admin.rebuild(flag.tenant, onProgress))
  await recount(flag, command)
}

/** Compares the counts of the tables with those of the log, and prints each difference. */
export async function recount({ tenant }: TenantFlag, command: Command): Promise<void> {
  report(await withTables(command, 'items counted', (admin, onProgress) => admin.recount(tenant, onProgress)))
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
    const step = error instanceof NoSealedLog ? ` ${SEALED_SOON}` : ''
    return command.error(`error: ${(error as Error).message}${step}`, { exitCode: CANNOT_COUNT })
  } finally {
    progress.stop()
  }
}

function report({ size, logSize, records, differences }: Recount): void {
  const isEqual = differences.length === 0
  if (!isEqual) process.exitCode = DIFFERENT
  const verdict = isEqual ? 'the tables equal the log' : counted(differences.length, 'count differs', 'counts differ')
  printLine(`${counted(records, 'field record')} in ${number(size)} of ${counted(logSize, 'sealed item')}: ${verdict}`)
  for (const { start, end, path, outcome, inTables, inLog } of differences.slice(0, MAX_PRINTED))
    printLine(`positions ${start} to ${end}: ${path} ${outcome}, ${number(inTables)} in the tables, ${number(inLog)} in the log`)
}

const number = (value: number): string => value.toLocaleString('en-US')
