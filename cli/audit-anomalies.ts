import { Command, InvalidArgumentError, Option } from 'commander'
import type { AnomalyFlags } from './audit-anomalies-run.ts'
import { tenantOfProject } from './tenant-option.ts'
import { fromOption, toOption } from './time-option.ts'

/** The names of the kinds, as in `AnomalyKind` of the schema. They are here so that `--help` loads no other code. */
const KIND_NAMES = [
  'VOLUME',
  'MANY_PATIENTS',
  'OFF_HOURS',
  'DENIALS',
  'ENUMERATION',
  'GUESSED_SEARCHES',
  'UNREVIEWED_BREAK_GLASS',
  'MEMBERSHIP',
  'FIRST_USE',
  'PARTNER_HABITS',
  'SELF',
  'FAMILY',
  'NEIGHBOR',
  'CO_WORKER',
  'VIP',
] as const

/** `phi audit anomalies`: unusual patterns of accesses. */
export function anomaliesCommand(): Command {
  return new Command('anomalies')
    .description('find unusual patterns of accesses: each with a score, one sentence and its numbers')
    .requiredOption('--from <time>', 'the earliest time, inclusive: a year, month or day in UTC, or an RFC 3339 time', fromOption)
    .requiredOption('--to <time>', 'the latest time, inclusive: all of that year, month or day, or an RFC 3339 time', toOption)
    .addOption(new Option('--kind <kind...>', 'findings of these kinds only').choices(KIND_NAMES))
    .option('--min-score <score>', 'findings of at least this score; 0.5 is the threshold of each kind', scoreOption, 0.5)
    .addOption(tenantOfProject('the tenant of the audit log'))
    .option('--json', 'print one JSON object per line: the findings, then the accesses by class')
    .addHelpText(
      'after',
      `
Examples:
  phi audit anomalies --from 2026-11-01 --to 2026-11-30
  phi audit anomalies --from 2026-11 --to 2026-11 --kind OFF_HOURS ENUMERATION
  phi audit anomalies --from 2026-11-24 --to 2026-11-30 --min-score 0.4 --json

A finding is a reason to look, and proves nothing. The span has at most 31 days, unless PHI_ANOMALIES sets another limit.
The audit log records each use, under your account. The findings have ids of users and patients: they are protected health information.
Exit code: 0 without a finding, 1 with one, 2 if the question cannot be answered.`,
    )
    .action(async (flags: AnomalyFlags, command: Command) => {
      const { printAnomalies } = await import('./audit-anomalies-run.ts')
      await printAnomalies(flags, command)
    })
}

/** @throws InvalidArgumentError */
function scoreOption(text: string): number {
  const score = Number(text)
  if (text.trim() === '' || !(score >= 0 && score <= 1)) throw new InvalidArgumentError('Use a number from 0 to 1.')
  return score
}
