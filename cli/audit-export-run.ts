import type { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { exportLog } from '../gateway/oversight/log/log-export.ts'
import { openAuditObjects } from '../gateway/admin/audit-objects.ts'
import { NoSealedLog, StoredLog } from '../gateway/oversight/log/stored-log.ts'
import { counted } from '../gateway/model/counted.ts'
import { SEALED_SOON } from './audit-session.ts'
import { ExportFolder } from './export-folder.ts'
import { requireEmptyFolder } from './files.ts'
import { positionProgress } from './position-progress.ts'
import { printLine } from './terminal.ts'
import { requireOrder } from './time-option.ts'

export interface ExportFlags {
  readonly tenant: TenantId
  readonly from?: number
  readonly to?: number
  readonly out: string
}

/** Copies the part of the sealed log that holds a time, and prints its positions. */
export async function exportToFolder({ tenant, from, to, out }: ExportFlags, command: Command): Promise<void> {
  requireOrder(from, to)
  requireEmptyFolder(out, '--out')
  const folder = new ExportFolder(out)
  const progress = positionProgress(process.stderr, 'items copied')
  try {
    const span = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
    const log = new StoredLog(openAuditObjects(process.env), tenant)
    const { start, end } = await exportLog(log, span, (name, bytes) => folder.write(name, bytes), progress.update)
    progress.stop()
    printLine(`${counted(end - start, 'item')}, positions ${start} to ${end}. Verify them with: phi audit verify DIR`)
  } catch (error) {
    progress.stop()
    if (!(error instanceof NoSealedLog)) throw error
    command.error(`error: ${error.message} ${SEALED_SOON}`)
  }
}
