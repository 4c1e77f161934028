import { type Command, InvalidArgumentError } from 'commander'
import { sensitivities } from '../directives/sensitivities.ts'
import type { Importer } from '../fhir/importer.ts'
import { CodeListRefused, UnknownSensitivity, codeLabels } from '../fhir/labels.ts'
import { UnknownTenant } from '../gateway/admin/open-store.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { StageRefused, refuseProduction } from '../gateway/model/stage.ts'
import type { StackFile } from '../infra/local/stack-file.ts'
import { projectLock } from '../schema/project.ts'
import { type Assignment, assignments } from './assignments.ts'
import type { PatientPattern } from './care-team-option.ts'
import { readInputText, requireReadable } from './files.ts'
import { jsonReport, summary } from './import-report.ts'
import { type ImportOptions, runImport } from './import-run.ts'
import { MinorsPolicyRefused, readMinorsPolicy } from './minors-policy.ts'
import { progressOn } from './progress.ts'
import { unknownTenantText } from './tenant-check.ts'
import { printLine } from './terminal.ts'

export interface ImportCommandOptions {
  readonly tenant: TenantId
  readonly assign: readonly Assignment[]
  readonly labels: readonly string[]
  readonly minors?: string
  readonly json?: true
  readonly careTeamOf: readonly PatientPattern[]
  readonly encounterPractitioners?: boolean
}

export interface ImportCommandServices {
  /** Opens the sealed store of one tenant. */
  readonly openImporter: (tenant: TenantId) => Promise<Importer>
  /** The users of the system. Undefined if they are not known. */
  readonly users: () => Promise<StackFile['users'] | undefined>
}

/** Imports files and directories, and prints the report. Exit code 1 after any fault. */
export async function importFiles(
  paths: readonly string[],
  options: ImportCommandOptions,
  { openImporter, users }: ImportCommandServices,
  command: Command,
): Promise<void> {
  for (const path of paths) requireReadable(path, '<path>')
  const ofTenant = (await users())?.filter(({ tenant }) => tenant === options.tenant)
  const ready = readyToImport(options, ofTenant, command)
  const importer = await openImporter(options.tenant).catch((failure: unknown) => {
    if (failure instanceof UnknownTenant) command.error(`error: ${unknownTenantText(options.tenant, process.env)}`)
    throw failure
  })
  const progress = progressOn({ stream: process.stderr, now: Date.now })
  try {
    const report = await runImport({ paths, tenant: options.tenant, ...ready, importer, progress, now: Date.now })
    if (options.json === true) printLine(jsonReport(report))
    else for (const line of summary(report)) printLine(line)
    if (report.faults.length > 0) process.exitCode = 1
  } finally {
    await importer.close()
  }
}

/** Reads the options before anything is opened. An error that the user can correct ends the command with one line. */
function readyToImport(
  { assign, labels, minors, careTeamOf, encounterPractitioners = false }: ImportCommandOptions,
  users: StackFile['users'] | undefined,
  command: Command,
): Omit<ImportOptions, 'paths' | 'tenant' | 'importer' | 'progress' | 'now'> {
  try {
    refuseProduction(process.env)
    const assigned = assignments(assign, users)
    if (careTeamOf.length > 0 && assigned.size === 0) throw new InvalidArgumentError('--care-team-of needs a user of --assign.')
    return {
      assign: assigned,
      careTeamOf,
      encounterPractitioners,
      users: new Set([...[...assigned.values()].flat(), ...(users ?? []).flatMap(({ fhirUser = [] }) => fhirUser)]),
      labels: codeLabels(
        sensitivities(projectLock()),
        labels.map((file) => readInputText(file, '--labels')),
      ),
      ...(minors !== undefined && { minors: readMinorsPolicy(readInputText(minors, '--minors')) }),
    }
  } catch (failure) {
    const isCorrectable = [StageRefused, InvalidArgumentError, CodeListRefused, UnknownSensitivity, MinorsPolicyRefused].some(
      (kind) => failure instanceof kind,
    )
    if (isCorrectable && failure instanceof Error) command.error(`error: ${failure.message}`)
    throw failure
  }
}
