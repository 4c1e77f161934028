import { Command } from 'commander'
import { exportCommand } from './audit-export.ts'
import { proveCommand, verifyProofCommand } from './audit-prove.ts'
import { rebuildCommand, recountCommand } from './audit-tables.ts'
import { verifyCommand } from './audit-verify.ts'
import { tenantOption } from './tenant-option.ts'
import { fromOption, toOption } from './time-option.ts'
import type { ListOptions } from './audit-list.ts'

/**
 * `phi audit`: the field-access history and its proofs.
 *
 * @param onSystem makes a command one on a running system. The commands that verify need none
 */
export function auditCommand(onSystem: (command: Command) => Command): Command {
  const list = new Command('list')
    .description('list the accesses of one request, to one patient, by one user, or of one field, in time order')
    .option('--request <id>', 'the request id, from extensions.phi.requestId of the response')
    .option('--patient <id>', 'the patient id, from the API or from a record')
    .option('--user <id>', 'the user id, which is the subject of the token')
    .option('--path <path>', 'the field, such as Patient.birthDate; requires --from and --to, and reads all items of that time')
    .option('--from <time>', 'the earliest time, inclusive: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .option('--to <time>', 'the latest time, inclusive: all of that year, month or day, or an RFC 3339 time', toOption)
    .option('--tenant <tenant>', 'the tenant of the audit log', tenantOption, tenantOption('riverside'))
    .option('--json', 'print one JSON object per line, with all fields')
    .action(async (options: ListOptions, command: Command) => {
      const { listEntries } = await import('./audit-list.ts')
      await listEntries(options, command)
    })
  return new Command('audit')
    .description('the field-access history')
    .addCommand(onSystem(list))
    .addCommand(onSystem(exportCommand()))
    .addCommand(verifyCommand())
    .addCommand(onSystem(proveCommand()))
    .addCommand(verifyProofCommand())
    .addCommand(onSystem(rebuildCommand()))
    .addCommand(onSystem(recountCommand()))
}
