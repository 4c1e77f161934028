import { Command } from 'commander'
import type { AccountingOptions, DisclosureOptions } from './audit-accounting-run.ts'
import { patientText } from './patient-option.ts'
import { tenantOfProject } from './tenant-option.ts'
import { timeText } from './time-option.ts'

/** `phi audit accounting`: the disclosures of a patient (45 CFR 164.528). */
export function accountingCommand(): Command {
  return ofTenant('accounting', 'print the accounting of disclosures of a patient, in the form for the individual')
    .requiredOption('--patient <id>', 'the patient id, from the API or from the log', patientText)
    .requiredOption(
      '--from <time>',
      'the earliest time, at most six years back: a year, month or day in UTC, or an RFC 3339 time',
      timeText,
    )
    .requiredOption('--to <time>', 'the latest time: all of that year, month or day, or an RFC 3339 time', timeText)
    .option('--html <file>', 'write a document for paper to a new file, which only your account can read')
    .option('--json', 'print what the privacy officer sees: exclusions, suspensions and open decisions, too')
    .addHelpText(
      'after',
      `
Examples:
  phi audit accounting --patient kakjK50GpYk3xQ0bFyTz2A --from 2024-01-01 --to 2026-12-31
  phi audit accounting --patient kakjK50GpYk3xQ0bFyTz2A --from 2024 --to 2026 --html accounting.html
  phi audit accounting --patient kakjK50GpYk3xQ0bFyTz2A --from 2026-03 --to 2026-05 --json

The command computes an accounting, and gives none: the mutation giveAccounting of the auditor's API does, and keeps what was given.`,
    )
    .action(async (options: AccountingOptions, command: Command) => {
      const { printAccounting } = await import('./audit-accounting-run.ts')
      await printAccounting(options, command)
    })
}

/** `phi audit disclosures list|record|requests`. */
export function disclosuresCommand(onSystem: (command: Command) => Command): Command {
  const list = ofTenant('list', 'print the disclosures of a patient that were entered, with former versions')
    .requiredOption('--patient <id>', 'the patient id, from the API or from the log', patientText)
    .option('--json', 'print one JSON object per line, with all members')
    .action(async (options: DisclosureOptions, command: Command) => {
      const { listDisclosures } = await import('./audit-accounting-run.ts')
      await listDisclosures(options, command)
    })
  const record = ofTenant('record', 'enter a disclosure that was made elsewhere')
    .argument('<file>', 'JSON with the members of DisclosureInput of the auditor’s API')
    .requiredOption('--patient <id>', 'the patient id, from the API or from the log', patientText)
    .addHelpText(
      'after',
      `
Example of a file:
  {
    "basis": "LAW_ENFORCEMENT",
    "date": "2026-04-01",
    "recipient": { "name": "City Police", "address": "2 Main Street" },
    "description": "Dates of visits",
    "purpose": "Search warrant 12"
  }`,
    )
    .action(async (file: string, options: DisclosureOptions, command: Command) => {
      const { recordFromFile } = await import('./audit-accounting-run.ts')
      await recordFromFile(file, options, command)
    })
  const requests = ofTenant('requests', 'print the requests for accountings with their due days, overdue ones first')
    .option('--json', 'print one JSON object per line')
    .action(async (options: Omit<DisclosureOptions, 'patient'>, command: Command) => {
      const { listRequests } = await import('./audit-accounting-run.ts')
      await listRequests(options, command)
    })
  return new Command('disclosures')
    .description('disclosures that were entered, and requests for accountings')
    .addHelpText(
      'after',
      `
Examples:
  phi audit disclosures record disclosure.json --patient kakjK50GpYk3xQ0bFyTz2A
  phi audit disclosures list --patient kakjK50GpYk3xQ0bFyTz2A
  phi audit disclosures requests`,
    )
    .addCommand(onSystem(list))
    .addCommand(onSystem(record))
    .addCommand(onSystem(requests))
}

const ofTenant = (name: string, description: string): Command =>
  new Command(name).description(description).addOption(tenantOfProject('the tenant of the patient'))
