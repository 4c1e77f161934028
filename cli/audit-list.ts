import { Command, InvalidArgumentError, Option } from 'commander'
import { accessFilterOptions } from './access-filter-options.ts'
import type { ListFlags } from './audit-list-run.ts'
import { tenantOfProject } from './tenant-option.ts'
import { fromOption, toOption } from './time-option.ts'

/** As many as a page of the auditor's API can have. */
const DEFAULT_FIRST = 500

/** `phi audit list`: the list `fieldAccesses` of the auditor's API. */
export function listCommand(): Command {
  const command = new Command('list')
    .description('list field-level accesses, latest first. Each option narrows the list. The log records the review')
    .option('--request <id>', 'the request id, from extensions.phi.requestId of the response')
  return accessFilterOptions(command)
    .option('--from <time>', 'the earliest time, inclusive: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .option('--to <time>', 'the latest time, inclusive: all of that year, month or day, or an RFC 3339 time', toOption)
    .addOption(new Option('--first <number>', 'the most accesses to list').argParser(countOption).default(DEFAULT_FIRST))
    .option('--all', 'list all accesses')
    .addOption(tenantOfProject('the tenant of the audit log'))
    .option('--json', 'print one JSON object per line. By request, patient or user, it has the hashes that a verifier needs')
    .addHelpText(
      'after',
      `
Examples:
  phi audit list --request kakjK50GAZyo7n57cmVxdWVz
  phi audit list --patient AAECAwQFBgcICQoLDA0ODw --outcome DENIED MASKED
  phi audit list --user physician --from 2026-11-28 --basis BREAK_GLASS
  phi audit list --user physician --from 2026-11 --to 2026-11 --all --json`,
    )
    .action(async (flags: ListFlags, action: Command) => {
      const { listAccesses } = await import('./audit-list-run.ts')
      await listAccesses(flags, action)
    })
}

/** @throws InvalidArgumentError */
function countOption(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Use a whole number from 1.')
  return Number(text)
}
