import { Command, Option } from 'commander'
import { explainCommand } from './policy-explain.ts'
import { narrowCommand } from './policy-narrow.ts'
import type { TableOptions } from './policy-run.ts'

/**
 * `phi policy table|lock|diff` reads the SDL of the project without a running stack. Exit code 1 if the schema has faults, or
 * if `lock --check` finds a difference.
 *
 * @param onSystem makes a command one on a running system
 */
export function policyCommand(onSystem: (command: Command) => Command = (command) => command): Command {
  const policy = new Command('policy').description('show and check the access policy of the schema')
  policy
    .command('table')
    .description('print the compiled table')
    .addOption(new Option('--markdown', 'print Markdown').conflicts(['html', 'json']))
    .addOption(new Option('--html', 'print one HTML page with a filter by role').conflicts(['markdown', 'json']))
    .addOption(
      new Option('--json', 'print JSON rows of role, purposes, relationship, path and view').conflicts(['markdown', 'html']),
    )
    .action(async (options: TableOptions) => {
      const { printTable } = await import('./policy-run.ts')
      printTable(options)
    })
  policy
    .command('lock')
    .description('write the policy lock')
    .option('--check', 'write nothing; print the differences and exit with code 1')
    .action(async ({ check }: { check?: true }) => {
      const { writeLock } = await import('./policy-run.ts')
      writeLock(check === true)
    })
  policy.addCommand(explainCommand())
  policy.addCommand(onSystem(narrowCommand()))
  policy
    .command('diff')
    .description('show the access that a change widens and narrows')
    .argument('[revision]', 'compare the SDL with the lock at this revision instead of the lock file')
    .argument('[other]', 'compare the lock at the first revision with the lock at this one')
    .action(async (revision?: string, other?: string) => {
      const { printDifference } = await import('./policy-run.ts')
      printDifference(revision, other)
    })
  return policy
}
