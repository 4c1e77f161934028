import { CONTESTANT_NAMES, CONTESTANTS, type ContestantName } from './contestant-names.ts'
import type { ColdStart, Latency, Results, Scaling, Throughput, Work } from './results.ts'
import { SCENARIOS } from './scenarios.ts'

/** Renders a table in Markdown. The first column is text, the others are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

/** Three significant digits below 100, whole numbers above. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(value < 10 ? 2 : 3)))
}

const namesIn = (figures: readonly { readonly contestant: ContestantName }[]): readonly ContestantName[] =>
  CONTESTANT_NAMES.filter((name) => figures.some(({ contestant }) => contestant === name))

const isOf =
  (wanted: { readonly scenario: string; readonly delay?: number }) =>
  (one: { readonly scenario: string; readonly delay?: number }): boolean =>
    one.scenario === wanted.scenario && one.delay === wanted.delay

/** The ratio of one contestant's figure to another's. */
export function ratio<Figure extends { readonly contestant: ContestantName }>(
  figures: readonly Figure[],
  of: (figure: Figure) => number,
  [over, under]: readonly [ContestantName, ContestantName],
): number {
  const valueOf = (name: ContestantName): number => {
    const found = figures.find(({ contestant }) => contestant === name)
    return found ? of(found) : Number.NaN
  }
  return valueOf(over) / valueOf(under)
}

export function latencyTable(latency: readonly Latency[]): string {
  const names = namesIn(latency)
  const cases = latency.filter((one, index) => latency.findIndex(isOf(one)) === index)
  const rows = cases.map((one) => {
    const figures = latency.filter(isOf(one))
    const cells = (of: (found: Latency) => number) =>
      names.map((name) => figure(figures.filter(({ contestant }) => contestant === name).map(of)[0] ?? Number.NaN))
    const ratios = (['twin', 'hand-built'] as const).map((under) => ratio(figures, ({ median }) => median, ['gateway', under]))
    return [
      `${one.scenario}, ${one.delay} ms`,
      cells(({ median }) => median).join(' / '),
      cells(({ p95 }) => p95).join(' / '),
      cells(({ cpu }) => cpu).join(' / '),
      ...ratios.map(figure),
    ]
  })
  const list = names.map((name) => CONTESTANTS[name]).join(' / ')
  return `${list}\n\n${table(['', 'median, ms', '95th percentile, ms', 'CPU, ms', 'gateway to twin', 'gateway to hand-built'], rows)}`
}

function throughputTable(throughput: readonly Throughput[]): string {
  const names = namesIn(throughput)
  const cases = throughput.filter((one, index) => throughput.findIndex(isOf(one)) === index)
  const rows = cases.map((one) => {
    const figures = throughput.filter(isOf(one))
    const perSecond = names.map((name) => figure(figures.find(({ contestant }) => contestant === name)?.perSecond ?? Number.NaN))
    const ratios = (['hand-built', 'encryption-sdk'] as const).map((under) =>
      ratio(figures, (found) => found.perSecond, ['gateway', under]),
    )
    return [`${one.scenario}, ${one.delay} ms`, ...perSecond, ...ratios.map(figure)]
  })
  const head = ['', ...names.map((name) => CONTESTANTS[name]), 'gateway to hand-built', 'gateway to AWS Encryption SDK']
  return table(head, rows)
}

function workTable(work: readonly Work[]): string {
  const rows = work.map((one) => [
    `${one.scenario} ${CONTESTANTS[one.contestant]}`,
    ...[one.requests, one.roundTrips, one.transactions, one.itemsRead, one.readUnits].map(figure),
    ...[one.writeUnits, one.writeUnits / one.values, one.auditItems, one.openings].map(figure),
  ])
  const head = ['', 'requests', 'round trips', 'transactions', 'items read', 'read units']
  return table([...head, 'write units', 'write units a value', 'audit items', 'openings'], rows)
}

function scalingTable(scaling: readonly Scaling[]): string {
  const names = namesIn(scaling)
  const sizes = [...new Set(scaling.map(({ values }) => values))]
  const rows = sizes.map((size) => [
    size.toLocaleString('en-US'),
    ...names.map((name) => {
      const cpu = scaling.find(({ values, contestant }) => values === size && contestant === name)?.cpu ?? Number.NaN
      return figure((cpu / size) * 1_000)
    }),
  ])
  return table(['values', ...names.map((name) => `${CONTESTANTS[name]}, µs a value`)], rows)
}

function coldTable(coldStart: readonly ColdStart[]): string {
  const rows = coldStart.map((one) => [
    one.function,
    ...[one.bundleKilobytes, one.init, one.first, one.init + one.first].map(figure),
  ])
  return table(['function', 'bundle, KiB', 'init, ms', 'first request, ms', 'together, ms'], rows)
}

/** All tables of a run, in Markdown. */
export function tablesOf({ machine, latency, throughput, work, scaling, coldStart }: Results): string {
  return [
    '# Results of the bench',
    `Written by \`npm run bench\`. Node ${machine.node.slice(1)}, ${machine.processors} x ${machine.processor}. [README.md](../README.md) describes the contestants.`,
    SCENARIOS.map(({ name, describes }) => `- ${name}: ${describes}`).join('\n'),
    '## Time of a request',
    `Several contestants in one cell: ${latencyTable(latency)}`,
    '![Latency](latency.svg)',
    '## Requests a second, 16 at the same time',
    throughputTable(throughput),
    '![Throughput](throughput.svg)',
    '## Work of a request',
    'These figures do not depend on the machine.',
    workTable(work),
    '## CPU time by size',
    scalingTable(scaling),
    '![CPU time a value](scaling.svg)',
    '## Cold start',
    coldTable(coldStart),
    '',
  ].join('\n\n')
}
