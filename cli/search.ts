import { Command } from 'commander'
import { lockDigest } from '../directives/compile.ts'
import { searchIndexes } from '../directives/searchable.ts'
import { searchAdmin } from '../gateway/admin/search-admin.ts'
import { clinicLock } from '../schema/clinic.ts'
import type { ReindexCounts } from '../gateway/store/search-reindexer.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { tenantOption } from './tenant-option.ts'

/** The exit code where something had to be mended: expected after a change of the schema, and at no other time. */
const MENDED = 3

/** `phi search`: the table by which patients are found. What it changes is audited under the account that runs it. */
export function searchCommand(): Command {
  const reindex = new Command('reindex')
    .description('hold the search table against the records: write what is missing, remove what stands for nothing')
    .requiredOption('--tenant <tenant>', 'whose records', tenantOption)
    .action(async ({ tenant }: { tenant: TenantId }) => {
      const lock = clinicLock()
      const keeping = searchAdmin(lockDigest(lock), process.env, searchIndexes(lock))
      try {
        const counts = await keeping.reindexer.reindex(tenant, (so) => void process.stderr.write(`${line(so)}\n`))
        process.stdout.write(`${line(counts)}\n`)
        if (counts.refused > 0) process.exitCode = 1
        else if (counts.written + counts.removed > 0) process.exitCode = MENDED
      } finally {
        keeping.close()
      }
    })
  return new Command('search').description('the table by which patients are found').addCommand(reindex)
}

const line = ({ sound, written, removed, refused }: ReindexCounts): string =>
  `sound ${sound}, written ${written}, removed ${removed}, refused ${refused}`
