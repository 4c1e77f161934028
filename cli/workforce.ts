import { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { tenantOption } from './tenant-option.ts'

const FORMAT = `
The file is CSV in UTF-8 with a header. The column user is required, in the form in which the audit log names users. Others can be left out:

  user,name,patient,patientNumber,familyName,street,postalCode,phone,vip
  j.lee,Jordan Lee,,MRN-10442,Lee,12 Elm Street Apt 3,02139,617-555-0142,
  ,,,MRN-20017,,,,,yes

A row with vip=yes and no user is a person of public interest. Only keyed tokens and sealed names are stored. A file with a fault changes
nothing. Users that the file no longer has are removed.
`

const EXAMPLES = `
Examples:
  $ phi workforce import workforce.csv --tenant riverside
  $ phi workforce list --tenant riverside
`

/** `phi workforce` manages the names of users, and the tokens by which they are compared with patients. */
export function workforceCommand(): Command {
  return new Command('workforce')
    .description('manage the names of users, and what the audit compares them with patients by')
    .addHelpText('after', EXAMPLES)
    .addCommand(
      ofTenant('import', 'make the workforce of a tenant equal to a file')
        .argument('<file>', 'CSV with one row for each user')
        .addHelpText('after', `${FORMAT}${EXAMPLES}`)
        .action(async (file: string, { tenant }: OfTenant, command: Command) => {
          const { importWorkforce } = await import('./workforce-run.ts')
          await importWorkforce(tenant, file, command)
        }),
    )
    .addCommand(
      ofTenant('list', 'print users with names, and the kinds of values that are compared')
        .addHelpText('after', EXAMPLES)
        .action(async ({ tenant }: OfTenant, command: Command) => {
          const { listWorkforce } = await import('./workforce-run.ts')
          await listWorkforce(tenant, command)
        }),
    )
}

interface OfTenant {
  readonly tenant: TenantId
}

function ofTenant(name: string, description: string): Command {
  return new Command(name).description(description).requiredOption('--tenant <tenant>', 'the tenant of the workforce', tenantOption)
}
