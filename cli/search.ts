import { Command } from 'commander'
import { lockDigest } from '../directives/compile.ts'
import { searchIndexes } from '../directives/searchable.ts'
import { searchAdmin } from '../gateway/admin/search-admin.ts'
import { clinicLock } from '../schema/clinic.ts'
import type { ReindexCounts } from '../gateway/store/search-reindexer.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'

/** Exit code if an entry was corrected. Expect it after a change of the schema, and at no other time. */
const CORRECTED = 3

/** `phi search` maintains the search table. Changes are audited under the account that runs the command. */
export function searchCommand(): Command {
  const reindex = new Command('reindex')
    .description('compare the search table with the records; write missing entries and remove stale ones')
    .requiredOption('--tenant <tenant>', 'the tenant of the records', tenantOption)
    .action(async ({ tenant }: { tenant: TenantId }) => {
      const lock = clinicLock()
      const admin = searchAdmin(lockDigest(lock), process.env, searchIndexes(lock))
      try {
        const counts = await admin.reindexer.reindex(tenant, (progress) => printLine(line(progress), 'stderr'))
        printLine(line(counts))
        if (counts.refused > 0) process.exitCode = 1
        else if (counts.written + counts.removed > 0) process.exitCode = CORRECTED
      } finally {
        admin.close()
      }
    })
  return new Command('search').description('maintain the search table').addCommand(reindex)
}

const line = ({ sound, written, removed, refused }: ReindexCounts): string =>
  `sound ${sound}, written ${written}, removed ${removed}, refused ${refused}`
