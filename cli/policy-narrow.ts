import { Command } from 'commander'
import type { NarrowFlags } from './policy-narrow-run.ts'
import { tenantOfProject } from './tenant-option.ts'
import { fromOption, toOption } from './time-option.ts'

/** `phi policy narrow`: the change of the schema that takes grants from roles that did not use them. */
export function narrowCommand(): Command {
  return new Command('narrow')
    .description('print the schema change that takes grants from roles that did not use them, as a diff for git apply')
    .requiredOption('--from <time>', 'the earliest time, inclusive: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .requiredOption('--to <time>', 'the latest time, inclusive: all of that year, month or day, or an RFC 3339 time', toOption)
    .option('--role <role>', 'narrow the grants of one role')
    .addOption(tenantOfProject('the tenant of the audit log'))
    .addHelpText(
      'after',
      `
Examples:
  phi policy narrow --from 2026-01 --to 2026-12 --role BILLING > narrow.diff
  git apply narrow.diff && phi policy diff && phi policy lock

The policy is shared by all tenants, and the log is that of one: review each of them. Only records that the policy in force decided count.
A rare duty may not occur in the time: review the diff with those who hold the role.`,
    )
    .action(async (flags: NarrowFlags, command: Command) => {
      const { printNarrowing } = await import('./policy-narrow-run.ts')
      await printNarrowing(flags, command)
    })
}
