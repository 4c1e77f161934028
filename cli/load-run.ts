import type { Command } from 'commander'
import { open } from 'node:fs/promises'
import { compilePolicy } from '../directives/compile.ts'
import { loadRecords } from '../gateway/admin/load-records.ts'
import { openImporter } from '../gateway/admin/open-importer.ts'
import { UnknownTenant } from '../gateway/admin/open-store.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { StageRefused } from '../gateway/model/stage.ts'
import { projectTypeDefs } from '../schema/project.ts'
import { printLine } from './terminal.ts'

/** Writes the records of a file, and prints the counts and the refused lines. */
export async function loadFile(file: string, tenant: TenantId, command: Command): Promise<void> {
  // unchecked: this decides no request, and only the gateway knows the sources of relationships
  const compiled = compilePolicy(projectTypeDefs(), { relationships: 'unchecked' })
  const source = await open(file)
  try {
    const store = await openImporter(tenant, compiled.lock, 'existing').catch((failure: unknown) => {
      const isExpected = failure instanceof UnknownTenant || failure instanceof StageRefused
      if (isExpected) command.error(`error: ${failure.message}`)
      throw failure
    })
    try {
      const { created, updated, unchanged, refused } = await loadRecords(source.readLines(), { compiled, store })
      printLine(`records: created ${created}, updated ${updated}, unchanged ${unchanged}`)
      for (const { line, why } of refused) printLine(`line ${line}: ${why}`, 'stderr')
      if (refused.length > 0) process.exitCode = 1
    } finally {
      await store.close()
    }
  } finally {
    await source.close()
  }
}
