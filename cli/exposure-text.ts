import { columns } from '../directives/table.ts'
import { counted } from '../gateway/model/counted.ts'
import type { ExposureCount, ExposureReport } from '../gateway/oversight/reports/exposure-report.ts'

/** Rows of a table that are printed. `--json` has up to 500. */
const MAX_PRINTED = 20

/** An exposure report as text for people. */
export function exposureText(report: ExposureReport): string {
  const { patients, records, acquired, attempted, earliest, latest } = report
  return [
    `Exposure report, ${report.from} to ${report.to}\n`,
    `${counted(records, 'record')}: ${number(acquired)} acquired, ${number(attempted)} only attempted${earliest === undefined ? '' : `; ${earliest} to ${latest ?? earliest}`}\n`,
    `${counted(patients.acquired, 'patient')} with acquired records, ${counted(patients.attemptedOnly, 'other id')}\n`,
    '\nSafe Harbor classes, 45 CFR 164.514(b)(2)(i)\n',
    table(
      ['class', 'acquired', 'in a masking view', 'attempted', 'patients'],
      report.identifiers.map(({ letter, identifier, masked, ...counts }) => [
        letter === undefined ? 'no class' : `${letter} ${identifier ?? ''}`,
        number(counts.acquired),
        number(masked),
        number(counts.attempted),
        number(counts.patients),
      ]),
    ),
    '\nOutcomes\n',
    table(
      ['outcome', 'view or reason', 'records', 'patients', 'means'],
      report.outcomes.map(({ outcome, view, reason, means, ...counts }) => [
        outcome,
        view ?? reason ?? '',
        number(counts.records),
        number(counts.patients),
        means,
      ]),
    ),
    ...countsTable('Categories', report.categories.length, report.categories),
    ...countsTable('Users', report.users.total, report.users.rows),
    ...countsTable('Purposes', report.purposes.total, report.purposes.rows),
    ...countsTable('Days', report.days.total, report.days.rows),
    '\nSources\n',
    table(
      ['address', 'client', 'application', 'acquired', 'attempted', 'patients', 'first', 'last'],
      report.sources.rows.map(({ sourceIp, clientId, app, earliest: first, latest: last, ...counts }) => [
        sourceIp ?? '-',
        clientId ?? '-',
        app ?? '-',
        number(counts.acquired),
        number(counts.attempted),
        number(counts.patients),
        first,
        last,
      ]),
      report.sources.total,
    ),
    '\nPatients\n',
    table(
      ['patient', 'acquired', 'attempted', 'first', 'last'],
      patients.list.map((one) => [one.patientId, number(one.acquired), number(one.attempted), one.earliest, one.latest]),
      patients.acquired + patients.attemptedOnly,
    ),
    '\nThe four factors of 45 CFR 164.402(2)\n',
    ...report.factors.flatMap(({ factor, text, log, notInLog }) => [
      `  ${factor} ${text}\n`,
      ...log.map((line) => `    The log: ${line}\n`),
      ...notInLog.map((line) => `    Not in the log: ${line}\n`),
    ]),
  ].join('')
}

const countsTable = (title: string, total: number, rows: readonly ExposureCount[]): readonly string[] => [
  `\n${title}\n`,
  table(
    ['', 'acquired', 'attempted', 'patients'],
    rows.map(({ name, acquired, attempted, patients }) => [name ?? '-', number(acquired), number(attempted), number(patients)]),
    total,
  ),
]

function table(head: readonly string[], rows: readonly (readonly string[])[], total = rows.length): string {
  if (rows.length === 0) return '  none\n'
  const shown = rows.slice(0, MAX_PRINTED)
  const more = total > shown.length ? `  ${number(total - shown.length)} more: use --json, or a shorter time\n` : ''
  return columns([head, ...shown]).replaceAll(/^(?=.)/gm, '  ') + more
}

const number = (value: number): string => value.toLocaleString('en-US')
