import { Command, Option } from 'commander'
import { EXPORT_FORMATS, type ExportFormat } from '../gateway/oversight/exports/export-formats.ts'
import { accessFilterOptions } from './access-filter-options.ts'
import type { ExportRecordsFlags } from './audit-export-records-run.ts'
import type { ExportFlags } from './audit-export-run.ts'
import { tenantOfProject } from './tenant-option.ts'
import { fromOption, toOption } from './time-option.ts'

type Flags = ExportFlags & Omit<ExportRecordsFlags, 'format'> & { readonly format?: ExportFormat }

/** `phi audit export`: the part of the sealed log that an auditor verifies, or records in a format of other tools. */
export function exportCommand(): Command {
  const command = new Command('export')
    .description('copy the sealed audit log of a time to a folder, or with --format write accesses to a file for other tools')
    .addOption(new Option('--format <format>', 'write accesses in this format. Without it: the sealed log').choices(EXPORT_FORMATS))
    .option('--from <time>', 'the earliest time of an access: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .option('--to <time>', 'the latest time of an access: all of that year, month or day, or an RFC 3339 time', toOption)
    .addOption(tenantOfProject('the tenant of the audit log'))
    .requiredOption('--out <path>', 'a folder that is empty or does not exist. With --format: a file that does not exist')
    .option('--digest-key <file>', 'with --format: a key of at least 32 bytes. Ids of patients and records become keyed digests')
    .option('--gateway <url>', 'with --format: the URL of the gateway, which begins the names of its codes')
  return accessFilterOptions(command)
    .addHelpText(
      'after',
      `
The options that select accesses apply to --format only. The sealed log has all items of a time.

Examples:
  phi audit export --from 2026-11 --to 2026-11 --out november
  phi audit export --format fhir --from 2026-11-28 --to 2026-11-28 --out day.ndjson
  phi audit export --format csv --user physician --outcome DENIED --out denied.csv`,
    )
    .action(async (flags: Flags, action: Command) => {
      const { format } = flags
      if (format === undefined) {
        const { exportToFolder } = await import('./audit-export-run.ts')
        await exportToFolder(flags, action)
        return
      }
      const { exportRecords } = await import('./audit-export-records-run.ts')
      await exportRecords({ ...flags, format }, action)
    })
}
