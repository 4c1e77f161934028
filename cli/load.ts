import { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { tenantOption } from './tenant-option.ts'

/** `phi load FILE --tenant TENANT` writes records of any schema to the sealed store. Exit code 1 if a line was refused. */
export function loadCommand(): Command {
  return new Command('load')
    .description('write records of the schema to the sealed store')
    .argument('<file>', 'NDJSON, one record a line: type, id, patient, values')
    .requiredOption('--tenant <tenant>', 'the tenant of the records', tenantOption)
    .action(async (file: string, { tenant }: { tenant: TenantId }, command: Command) => {
      const { loadFile } = await import('./load-run.ts')
      await loadFile(file, tenant, command)
    })
}
