import { Command } from 'commander'
import { exportLog } from '../gateway/admin/audit-export.ts'
import { NoSealedLog, openAuditObjects, StoredLog } from '../gateway/admin/audit-objects.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { ExportFolder } from './export-folder.ts'
import { positionProgress } from './position-progress.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'
import { fromOption, toOption } from './time-option.ts'

interface ExportFlags {
  readonly tenant: TenantId
  readonly from?: number
  readonly to?: number
  readonly out: string
}

/** `phi audit export`: the part of the sealed log that an auditor verifies. */
export function exportCommand(): Command {
  return new Command('export')
    .description('copy the sealed audit log of a time to a folder: items, tree, checkpoints, keys and policy locks')
    .option('--from <time>', 'the earliest time of an access: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .option('--to <time>', 'the latest time of an access: all of that year, month or day, or an RFC 3339 time', toOption)
    .option('--tenant <tenant>', 'the tenant of the audit log', tenantOption, tenantOption('riverside'))
    .requiredOption('--out <dir>', 'a folder that is empty or does not exist')
    .action(async ({ tenant, from, to, out }: ExportFlags, command: Command) => {
      if (from !== undefined && to !== undefined && from > to) command.error('error: --from is later than --to')
      const folder = new ExportFolder(out)
      if (!(await folder.isEmpty())) command.error('error: --out is not empty')
      const progress = positionProgress(process.stderr, 'items copied')
      try {
        const span = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
        const log = new StoredLog(openAuditObjects(process.env), tenant)
        const { start, end } = await exportLog(log, span, (name, bytes) => folder.write(name, bytes), progress.update)
        progress.stop()
        printLine(
          `${(end - start).toLocaleString('en-US')} items, positions ${start} to ${end}. Verify them with: phi audit verify DIR`,
        )
      } catch (error) {
        progress.stop()
        if (!(error instanceof NoSealedLog)) throw error
        command.error(`error: ${error.message}`)
      }
    })
}
