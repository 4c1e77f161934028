import { Command, InvalidArgumentError, Option } from 'commander'
import { addressOption } from './access-filter-options.ts'
import type { ExposureFlags, ReviewFlags } from './audit-reports-run.ts'
import type { SignOffFlags, StatusFlags } from './audit-reviews-run.ts'
import { patientText } from './patient-option.ts'
import { tenantOfProject } from './tenant-option.ts'
import { fromOption, toOption } from './time-option.ts'

/** Adds the options that both reports have. */
const withSpan = (command: Command): Command =>
  command
    .requiredOption('--from <time>', 'the earliest time, inclusive: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .requiredOption('--to <time>', 'the latest time, inclusive: all of that year, month or day, or an RFC 3339 time', toOption)
    .addOption(tenantOfProject('the tenant of the audit log'))
    .option('--json', 'print the report as one JSON object')

/** The names of decisions, as in `AccessReviewDecision` of the schema. They are here so that `--help` loads no other code. */
const DECISIONS = ['KEEP', 'NARROW', 'INVESTIGATE'] as const

const RECORDED = 'The audit log records each use, under your account.'

/** `phi audit review`: granted versus used. */
export function reviewCommand(): Command {
  return withSpan(new Command('review'))
    .description('compare the grants of the policy with their uses: unused grants, denials, users who read more than their peers')
    .option('--role <role>', 'one role; without it, all roles')
    .addOption(new Option('--sign-off <decision>', 'sign the review that you read').choices(DECISIONS))
    .option('--digest <digest>', 'with --sign-off: the digest at the end of the printed review', digestOption)
    .option('--note <text>', 'with --sign-off: the reason, up to 2,000 characters. Enter nothing about a patient')
    .option(
      '--finding <finding=decision...>',
      'with --sign-off: the decision about one finding, by the rule of an unused grant or the user of an outlier',
    )
    .addHelpText(
      'after',
      `
Examples:
  phi audit review --from 2026-10 --to 2026-10
  phi audit review --from 2026-07 --to 2026-09 --role BILLING
  phi policy narrow --from 2026-01 --to 2026-12 > narrow.diff
  phi audit review --from 2026-10 --to 2026-10 --sign-off KEEP --digest 6d1f...
  phi audit review --from 2026-10 --to 2026-10 --sign-off NARROW --digest 6d1f... --note 'billing no longer codes' --finding 'Claim.item#2=NARROW'

A sign-off is refused if the review has changed since it was read, or if its span is not over: the log gets records up to 15 minutes late.
${RECORDED} The report has ids of users, and no patient.`,
    )
    .action(async (flags: ReviewFlags & SignOffFlags, command: Command) => {
      if (flags.signOff === undefined) {
        const { printReview } = await import('./audit-reports-run.ts')
        await printReview(flags, command)
      } else {
        const { signOff } = await import('./audit-reviews-run.ts')
        await signOff(flags, command)
      }
    })
}

/** @throws InvalidArgumentError */
function digestOption(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new InvalidArgumentError('Copy the 64 characters at the end of the review that `phi audit review` prints.')
  return text
}

/** `phi audit reviews`: which access reviews are signed, due and overdue. */
export function reviewsCommand(): Command {
  return new Command('reviews')
    .description('print the last periods that need an access review: OPEN, DUE, OVERDUE or SIGNED')
    .addOption(tenantOfProject('the tenant of the audit log'))
    .option('--json', 'print the status as one JSON object, with all sign-offs')
    .addHelpText(
      'after',
      `
Examples:
  phi audit reviews
  phi audit reviews --tenant lakeside --json

The setting PHI_ACCESS_REVIEWS states how often a review is due. Each sign-off is compared with its audit record.
${RECORDED}
Exit code: 0 if no review is overdue, 1 if one is, 2 if the question cannot be answered.`,
    )
    .action(async (flags: StatusFlags, command: Command) => {
      const { printStatus } = await import('./audit-reviews-run.ts')
      await printStatus(flags, command)
    })
}

/** `phi audit exposure`: what a user, client, session or address got, for the assessment of a breach. */
export function exposureCommand(): Command {
  return withSpan(new Command('exposure'))
    .description('report what was acquired and what was attempted, for the assessment of a breach (45 CFR 164.402(2))')
    .option('--patient <id>', 'the patient id, from the API or from a record', patientText)
    .option('--user <id>', 'the user id, which is the subject of the token')
    .option('--client <id>', 'the client id')
    .option('--session <id>', 'the session id')
    .option('--ip <address>', 'the address that requests came from', addressOption)
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
