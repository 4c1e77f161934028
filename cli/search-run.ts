import { lockDigest } from '../directives/compile.ts'
import { searchIndexes } from '../directives/searchable.ts'
import { searchAdmin } from '../gateway/admin/search-admin.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import type { ReindexCounts } from '../gateway/store/search-reindexer.ts'
import { clinicLock } from '../schema/clinic.ts'
import { printLine } from './terminal.ts'

/** Exit code if an entry was corrected. Expect it after a change of the schema, and at no other time. */
const CORRECTED = 3

/** Compares the search table of a tenant with its records, corrects it, and prints the counts. */
export async function reindex(tenant: TenantId): Promise<void> {
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
}

const line = ({ sound, written, removed, refused }: ReindexCounts): string =>
  `sound ${sound}, written ${written}, removed ${removed}, refused ${refused}`
