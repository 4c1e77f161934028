import type { Command } from 'commander'
import { lockDigest } from '../directives/compile.ts'
import { replayFromLog, UnprovenErasure } from '../gateway/admin/erasure-replay.ts'
import { UnknownTenant } from '../gateway/admin/open-store.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { NoSealedLog } from '../gateway/oversight/log/stored-log.ts'
import { MalformedSegment, SegmentMissing } from '../gateway/oversight/tables/table-faults.ts'
import { projectLock } from '../schema/project.ts'
import { policyOf } from './audit-policy.ts'
import { SEALED_SOON } from './audit-session.ts'
import { unknownTenantText } from './tenant-check.ts'
import { printLine } from './terminal.ts'

/** Destroys the keys of erased patients again, and prints the counts. */
export async function replayErasures(tenant: TenantId, file: string, command: Command): Promise<void> {
  const logPolicy = (): ReturnType<typeof policyOf> => policyOf(undefined, file, command)
  try {
    const { destroyed, already, refused } = await replayFromLog(tenant, logPolicy, lockDigest(projectLock()), process.env)
    printLine(`destroyed ${destroyed}, already ${already}, refused ${refused}`)
    if (refused > 0) process.exitCode = 1
  } catch (error) {
    if (error instanceof UnknownTenant) command.error(`error: ${unknownTenantText(tenant, process.env)}`)
    if (error instanceof NoSealedLog) command.error(`error: ${error.message} ${SEALED_SOON}`)
    if (error instanceof UnprovenErasure || error instanceof MalformedSegment || error instanceof SegmentMissing)
      command.error(`error: ${error.message}`)
    throw error
  }
}
