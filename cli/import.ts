import { Command } from 'commander'
import { assignment } from './assignments.ts'
import { patientPattern } from './care-team-option.ts'
import { tenantOfProject } from './tenant-option.ts'
import type { ImportCommandOptions, ImportCommandServices } from './import-files.ts'

const NO_FILES: readonly string[] = []

/** `phi import <path...> [--tenant T] [--assign USER=PRACTITIONER] [--labels FILE] [--minors FILE]`. Exit code 1 after any fault. */
export function importCommand(services: ImportCommandServices): Command {
  return new Command('import')
    .description('import FHIR R4 bundles: JSON files, .gz, .zip, or directories of them')
    .argument('<path...>', 'files or directories')
    .addOption(tenantOfProject('the tenant of the patients'))
    .option('--assign <user=practitioner>', 'assign a user to a practitioner; can be repeated', assignment, [])
    .option(
      '--care-team-of <patients>',
      'put the assigned users on the care team of patients: Patient/*; can be repeated',
      patientPattern,
      [],
    )
    .option('--encounter-practitioners', 'put assigned users on the care team of the patients that their practitioners saw')
    .option(
      '--labels <file>',
      'a file with more lists of sensitive codes; can be repeated',
      (file, before) => [...before, file],
      NO_FILES,
    )
    .option('--minors <file>', 'a file with the limits for parents of minors, by age and category')
    .option('--json', 'print the report as JSON, with the entries of each file')
    .action(async (paths: string[], options: ImportCommandOptions, command: Command) => {
      const { importFiles } = await import('./import-files.ts')
      await importFiles(paths, options, services, command)
    })
}
