import { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { tenantOption } from './tenant-option.ts'

/** `phi records` checks the stored records. */
export function recordsCommand(): Command {
  const scrub = new Command('scrub')
    .description('compare records and indexes with the audit of writes; reports what another writer changed, and changes nothing')
    .requiredOption('--tenant <tenant>', 'the tenant of the records', tenantOption)
    .addHelpText('after', '\nExit code: 0 without a finding, 1 if a patient could not be compared, 3 if a fault was found.')
    .action(async ({ tenant }: { tenant: TenantId }) => {
      const { scrub: run } = await import('./records-run.ts')
      await run(tenant)
    })
  return new Command('records').description('check the stored records').addCommand(scrub)
}
