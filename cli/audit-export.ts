import { Command } from 'commander'
import { tenantOption } from './tenant-option.ts'
import { fromOption, toOption } from './time-option.ts'
import type { ExportFlags } from './audit-export-run.ts'

/** `phi audit export`: the part of the sealed log that an auditor verifies. */
export function exportCommand(): Command {
  return new Command('export')
    .description('copy the sealed audit log of a time to a folder: items, tree, checkpoints, keys and policy locks')
    .option('--from <time>', 'the earliest time of an access: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .option('--to <time>', 'the latest time of an access: all of that year, month or day, or an RFC 3339 time', toOption)
    .option('--tenant <tenant>', 'the tenant of the audit log', tenantOption, tenantOption('riverside'))
    .requiredOption('--out <dir>', 'a folder that is empty or does not exist')
    .action(async (flags: ExportFlags, command: Command) => {
      const { exportToFolder } = await import('./audit-export-run.ts')
      await exportToFolder(flags, command)
    })
}
