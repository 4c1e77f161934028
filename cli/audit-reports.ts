import { Command } from 'commander'
import type { ExposureFlags, ReviewFlags } from './audit-reports-run.ts'
import { tenantOption } from './tenant-option.ts'
import { fromOption, toOption } from './time-option.ts'

/** Adds the options that both reports have. */
const withSpan = (command: Command): Command =>
  command
    .requiredOption('--from <time>', 'the earliest time, inclusive: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .requiredOption('--to <time>', 'the latest time, inclusive: all of that year, month or day, or an RFC 3339 time', toOption)
    .option('--tenant <tenant>', 'the tenant of the audit log', tenantOption, tenantOption('riverside'))
    .option('--json', 'print the report as one JSON object')

const RECORDED = 'The audit log records each use, under your account.'

/** `phi audit review`: granted versus used. */
export function reviewCommand(): Command {
  return withSpan(new Command('review'))
    .description('compare the grants of the policy with their uses: unused grants, denials, users who read more than their peers')
    .option('--role <role>', 'one role; without it, all roles')
    .addHelpText(
      'after',
      `
Examples:
  phi audit review --from 2026-10 --to 2026-10
  phi audit review --from 2026-07 --to 2026-09 --role BILLING
  phi policy narrow --from 2026-01 --to 2026-12 > narrow.diff

${RECORDED} The report has ids of users, and no patient.`,
    )
    .action(async (flags: ReviewFlags, command: Command) => {
      const { printReview } = await import('./audit-reports-run.ts')
      await printReview(flags, command)
    })
}

/** `phi audit exposure`: what a user, client, session or address got, for the assessment of a breach. */
export function exposureCommand(): Command {
  return withSpan(new Command('exposure'))
    .description('report what was acquired and what was attempted, for the assessment of a breach (45 CFR 164.402(2))')
    .option('--patient <id>', 'the patient id, from the API or from a record')
    .option('--user <id>', 'the user id, which is the subject of the token')
    .option('--client <id>', 'the client id')
    .option('--session <id>', 'the session id')
    .option('--ip <address>', 'the address that requests came from')
    .option('--path <path>', 'the field, such as Patient.birthDate')
    .addHelpText(
      'after',
      `
Examples:
  phi audit exposure --from 2026-11-03 --to 2026-11-05 --user u-4711
  phi audit exposure --from 2026-11-03T22:00:00Z --to 2026-11-04T05:00:00Z --ip 203.0.113.9 --json

${RECORDED} The report has ids of patients: it is protected health information. It has no names and no values.`,
    )
    .action(async (flags: ExposureFlags, command: Command) => {
      const { printExposure } = await import('./audit-reports-run.ts')
      await printExposure(flags, command)
    })
}
