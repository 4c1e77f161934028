import { workforceComparison } from '../directives/comparisons.ts'
import { lockDigest } from '../directives/compile.ts'
import { searchIndexes } from '../directives/searchable.ts'
import { searchAdmin } from '../gateway/admin/search-admin.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import type { ReindexCounts } from '../gateway/store/derived-reindexer.ts'
import { projectLock } from '../schema/project.ts'
import { printLine } from './terminal.ts'

/** Exit code if an entry was corrected. Expect it after a change of the schema, and at no other time. */
const CORRECTED = 3
const LINE_EVERY_MS = 1_000

/** Compares the search entries and the comparison tokens of a tenant with its records, corrects them, and prints the counts. */
export async function reindex(tenant: TenantId): Promise<void> {
  const lock = projectLock()
  const derived = { searchable: searchIndexes(lock), comparison: workforceComparison(lock) }
  const admin = searchAdmin(lockDigest(lock), process.env, derived)
  try {
    const all: ReindexCounts[] = []
    for (const [name, reindexer] of [
      ['search entries', admin.reindexer],
      ['comparison tokens', admin.comparisons],
    ] as const) {
      if (reindexer === undefined) continue
      let reported = performance.now()
      const counts = await reindexer.reindex(tenant, (progress) => {
        if (performance.now() - reported < LINE_EVERY_MS) return
        reported = performance.now()
        printLine(line(name, progress), 'stderr')
      })
      printLine(line(name, counts))
      all.push(counts)
    }
    if (all.some(({ refused }) => refused > 0)) process.exitCode = 1
    else if (all.some(({ written, removed }) => written + removed > 0)) process.exitCode = CORRECTED
  } finally {
    admin.close()
  }
}

const line = (name: string, { sound, written, removed, refused }: ReindexCounts): string =>
  `${name}: sound ${sound}, written ${written}, removed ${removed}, refused ${refused}`
