import { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { tenantOption } from './tenant-option.ts'

/** `phi search` maintains the tables that follow from records. Changes are audited under the account that runs the command. */
export function searchCommand(): Command {
  const reindex = new Command('reindex')
    .description('compare search entries and comparison tokens with the records; write missing ones and remove stale ones')
    .requiredOption('--tenant <tenant>', 'the tenant of the records', tenantOption)
    .action(async ({ tenant }: { tenant: TenantId }) => {
      const { reindex: run } = await import('./search-run.ts')
      await run(tenant)
    })
  return new Command('search').description('maintain search entries and comparison tokens').addCommand(reindex)
}
