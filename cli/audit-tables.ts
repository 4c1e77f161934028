import { Command } from 'commander'
import { tenantOfProject } from './tenant-option.ts'
import type { TenantFlag } from './audit-tables-run.ts'

/** `phi audit rebuild`: makes the audit tables of a tenant anew from the sealed log. */
export function rebuildCommand(): Command {
  return new Command('rebuild')
    .description('make the audit tables of a tenant anew from the sealed log, and compare their counts with the log')
    .addOption(tenantOfProject('the tenant of the audit log'))
    .addHelpText('after', '\nQuestions are refused until few items are missing. Exit code: as phi audit recount.')
    .action(async (flag: TenantFlag, command: Command) => {
      const { rebuild } = await import('./audit-tables-run.ts')
      await rebuild(flag, command)
    })
}

/** `phi audit recount`: compares the audit tables of a tenant with the sealed log. */
export function recountCommand(): Command {
  return new Command('recount')
    .description('count the field records of the audit tables and of the sealed log by path and outcome, and compare them')
    .addOption(tenantOfProject('the tenant of the audit log'))
    .addHelpText('after', '\nExit code: 0 if all counts are equal, 1 if one is not, 2 if tables or log cannot be read.')
    .action(async (flag: TenantFlag, command: Command) => {
      const { recount } = await import('./audit-tables-run.ts')
      await recount(flag, command)
    })
}
