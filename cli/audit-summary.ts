import { Command, InvalidArgumentError, Option } from 'commander'
import { accessFilterOptions } from './access-filter-options.ts'
import type { SummaryFlags } from './audit-summary-run.ts'
import { tenantOfProject } from './tenant-option.ts'
import { fromOption, toOption } from './time-option.ts'

const INTERVALS = ['hour', 'day', 'week', 'month', 'year']
const DIMENSIONS = [
  ...['patient', 'user', 'client', 'role', 'path', 'category', 'outcome', 'reason', 'action'],
  ...['purpose', 'basis', 'organization', 'listed', 'persisted', 'operation'],
]

/** `phi audit summary`: the summary `accessSummary` of the auditor's API. */
export function summaryCommand(): Command {
  const command = new Command('summary')
    .description('count field-level accesses by any dimensions, over time. The log records the review')
    .requiredOption('--from <time>', 'the earliest time, inclusive: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .requiredOption('--to <time>', 'the latest time, inclusive: all of that year, month or day, or an RFC 3339 time', toOption)
    .option('--group-by <dimensions>', `with commas between: ${DIMENSIONS.join(', ')}`, dimensionsOption, [])
    .addOption(new Option('--interval <interval>', 'counts for each interval, in UTC. A week begins on Monday').choices(INTERVALS))
  return accessFilterOptions(command)
    .addOption(tenantOfProject('the tenant of the audit log'))
    .option('--json', 'print one JSON object per line')
    .addHelpText(
      'after',
      `
A caller with several roles counts in the group of each role. A summary has at most 10,000 groups.

Examples:
  phi audit summary --from 2026-11 --to 2026-11 --group-by outcome
  phi audit summary --from 2026-11-01 --to 2026-11-28 --group-by role,category --interval day
  phi audit summary --from 2026 --to 2026 --group-by user --outcome DENIED --interval month --json`,
    )
    .action(async (flags: SummaryFlags, action: Command) => {
      const { printSummary } = await import('./audit-summary-run.ts')
      await printSummary(flags, action)
    })
}

/** @throws InvalidArgumentError */
function dimensionsOption(text: string): readonly string[] {
  const dimensions = text.split(',').map((name) => name.trim().toLowerCase())
  if (dimensions.some((name) => !DIMENSIONS.includes(name))) throw new InvalidArgumentError(`Use ${DIMENSIONS.join(', ')}.`)
  if (new Set(dimensions).size < dimensions.length) throw new InvalidArgumentError('Name each dimension once.')
  return dimensions
}
