import type { Command } from 'commander'
import type { TenantId } from '../gateway/model/ids.ts'
import { accessFilter } from '../gateway/oversight/access-filter.ts'
import { type AccessCount, countAccesses } from '../gateway/oversight/access-summary.ts'
import type { Dimension, Interval } from '../gateway/oversight/tables/statements/count-accesses.ts'
import { type AccessFilterFlags, filterOf } from './access-filter-options.ts'
import { withAuditReview } from './audit-session.ts'
import { emptyText, requireCategory } from './known-values.ts'
import { printLine } from './terminal.ts'

export interface SummaryFlags extends AccessFilterFlags {
  readonly tenant: TenantId
  readonly from: number
  readonly to: number
  /** In lower case, as the command accepts them. */
  readonly groupBy: readonly string[]
  readonly interval?: string
  readonly json?: true
}

/** Prints the counts as a table, or each as JSON. */
export async function printSummary(flags: SummaryFlags, command: Command): Promise<void> {
  const { from, to, json } = flags
  // safe: the command accepts these names only
  const groupBy = flags.groupBy.map((name) => name.toUpperCase() as Dimension)
  const interval = flags.interval?.toUpperCase() as Interval | undefined
  const given = filterOf(flags)
  const counts = await withAuditReview(flags, command, async (review, { policy }) => {
    requireCategory(flags.category, policy)
    const filter = accessFilter(policy, given, { from, to })
    const args = { filter: { ...given, from, to }, groupBy, interval }
    const found = await review.ask({ field: 'accessSummary', args, patient: filter.patient }, async ({ reader, deadline }) => {
      const answer = await countAccesses({ tables: reader.tables, policy }, { filter, groupBy, interval }, deadline)
      return { answer, count: answer.length }
    })
    if (found.every(({ accesses }) => accesses === 0)) printLine(await emptyText({ review, policy, flags }), 'stderr')
    return found
  })
  if (json === true) for (const count of counts) printLine(JSON.stringify(membersOf(count)))
  else for (const line of tableOf(counts, groupBy, interval)) printLine(line)
}

const membersOf = ({ keys, start, first, last, ...numbers }: AccessCount): object => ({
  ...(start !== null && { start }),
  ...Object.fromEntries(Object.entries(keys).map(([dimension, value]) => [dimension.toLowerCase(), value])),
  ...numbers,
  first,
  last,
})

const NUMBERS = ['accesses', 'patients', 'users', 'requests'] as const

function tableOf(counts: readonly AccessCount[], groupBy: readonly Dimension[], interval: Interval | undefined): string[] {
  const texts = [...(interval === undefined ? [] : [interval]), ...groupBy]
  const heading = [...texts.map((name) => name.toLowerCase()), ...NUMBERS]
  const rows = counts.map((count) => [
    ...(interval === undefined ? [] : [startText(count.start, interval)]),
    ...groupBy.map((dimension) => String(count.keys[dimension] ?? '-')),
    ...NUMBERS.map((name) => count[name].toLocaleString('en-US')),
  ])
  const widths = heading.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at < texts.length ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd()
  return [heading, ...rows].map(line)
}

const LENGTHS: Readonly<Record<Interval, number>> = { HOUR: 13, DAY: 10, WEEK: 10, MONTH: 7, YEAR: 4 }
const startText = (start: Date | null, interval: Interval): string => start?.toISOString().slice(0, LENGTHS[interval]) ?? '-'
