import { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { tenantOption } from './tenant-option.ts'

/** `phi study list|put|end` manages the studies of a tenant and their patients. It refuses the same stages as `phi import`. */
export function studyCommand(): Command {
  return new Command('study')
    .description('manage the studies of a tenant, under which researchers act')
    .addCommand(
      ofTenant('list', 'print the studies with researchers and periods, without patients').action(
        async ({ tenant }: OfTenant, command: Command) => {
          const { listStudies } = await import('./study-run.ts')
          await listStudies(tenant, command)
        },
      ),
    )
    .addCommand(
      ofTenant('put', 'create or replace a study with the content of a file')
        .argument('<file>', 'JSON with protocol, title, researchers, since, until and patients')
        .option('--new-study', 'create a study that the tenant does not have')
        .action(async (file: string, { tenant, newStudy }: OfTenant & { readonly newStudy?: true }, command: Command) => {
          const { putStudy } = await import('./study-run.ts')
          await putStudy(tenant, file, { isNew: newStudy === true }, command)
        }),
    )
    .addCommand(
      ofTenant('end', 'end a study now')
        .argument('<protocol>', 'the name of the protocol')
        .action(async (protocol: string, { tenant }: OfTenant, command: Command) => {
          const { endStudy } = await import('./study-run.ts')
          await endStudy(tenant, protocol, command)
        }),
    )
}

interface OfTenant {
  readonly tenant: TenantId
}

function ofTenant(name: string, description: string): Command {
  return new Command(name).description(description).requiredOption('--tenant <tenant>', 'the tenant of the study', tenantOption)
}
