import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import type { Importer } from '../fhir/importer.ts'
import { sensitivities } from '../directives/sensitivities.ts'
import { CodeListRefused, UnknownSensitivity, codeLabels } from '../fhir/labels.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { StageRefused, refuseProduction } from '../gateway/model/stage.ts'
import { clinicLock } from '../schema/clinic.ts'
import { type Assignment, assignment, assignments } from './assignments.ts'
import { jsonReport, summary } from './import-report.ts'
import { type ImportOptions, runImport } from './import-run.ts'
import { MinorsPolicyRefused, readMinorsPolicy } from './minors-policy.ts'
import { progressOn } from './progress.ts'
import { tenantOption } from './tenant-option.ts'
import { printLine } from './terminal.ts'

interface ImportCommandOptions {
  readonly tenant: TenantId
  readonly assign: readonly Assignment[]
  readonly labels: readonly string[]
  readonly minors?: string
  readonly json?: true
}

const NO_FILES: readonly string[] = []

export interface ImportCommandServices {
  /** Opens the sealed store of one tenant. */
  readonly openImporter: (tenant: TenantId) => Promise<Importer>
}

/** `phi import <path...> [--tenant T] [--assign USER=PRACTITIONER] [--labels FILE] [--minors FILE]`. Exit code 1 after any fault. */
export function importCommand({ openImporter }: ImportCommandServices): Command {
  return new Command('import')
    .description('import FHIR R4 bundles: JSON files, .gz, .zip, or directories of them')
    .argument('<path...>', 'files or directories')
    .option('--tenant <tenant>', 'the tenant of the patients', tenantOption, tenantOption('riverside'))
    .option('--assign <user=practitioner>', 'assign a user to a practitioner; can be repeated', assignment, [])
    .option(
      '--labels <file>',
      'a file with more lists of sensitive codes; can be repeated',
      (file, before) => [...before, file],
      NO_FILES,
    )
    .option('--minors <file>', 'a file with the limits for parents of minors, by age and category')
    .option('--json', 'print the report as JSON, with the entries of each file')
    .action(async (paths: string[], options: ImportCommandOptions, command: Command) => {
      const ready = readyToImport(options, command)
      const importer = await openImporter(options.tenant)
      const progress = progressOn({ stream: process.stderr, now: Date.now })
      try {
        const report = await runImport({ paths, tenant: options.tenant, ...ready, importer, progress })
        if (options.json === true) printLine(jsonReport(report))
        else for (const line of summary(report)) printLine(line)
        if (report.faults.length > 0) process.exitCode = 1
      } finally {
        await importer.close()
      }
    })
}

/** Reads the options before anything is opened. An error that the user can correct ends the command with one line. */
function readyToImport(
  { assign, tenant, labels, minors }: ImportCommandOptions,
  command: Command,
): Pick<ImportOptions, 'assign' | 'labels' | 'minors'> {
  try {
    refuseProduction(process.env)
    return {
      assign: assignments(assign, tenant),
      labels: codeLabels(
        sensitivities(clinicLock()),
        labels.map((file) => readFileSync(file, 'utf8')),
      ),
      ...(minors !== undefined && { minors: readMinorsPolicy(readFileSync(minors, 'utf8')) }),
    }
  } catch (failure) {
    const isCorrectable = [StageRefused, InvalidArgumentError, CodeListRefused, UnknownSensitivity, MinorsPolicyRefused].some(
      (kind) => failure instanceof kind,
    )
    if (isCorrectable && failure instanceof Error) command.error(`error: ${failure.message}`)
    throw failure
  }
}
