import { readFileSync, writeFileSync } from 'node:fs'
import { CONTESTANTS, type ContestantName } from './contestant-names.ts'
import { type Results, storedResults } from './results.ts'
import { SCENARIOS } from './scenarios.ts'
import { figure, ratio, table } from './tables.ts'

// `node bench/readme.ts` writes the figures of the last full run into README.md. A test compares both.

const BEGIN = '<!-- figures of bench/results/results.json: node bench/readme.ts -->'
const END = '<!-- end of figures -->'
const COLUMNS: readonly ContestantName[] = ['twin', 'hand-built', 'gateway']
const SHOWN = ['S1', 'S2', 'S3', 'S4']
const DELAY = 5

/** The figures that README.md shows, in Markdown. */
export function readmeFigures({ machine, latency, throughput, work }: Results): string {
  const rows = SHOWN.map((name) => {
    const figures = latency.filter(({ scenario, delay }) => scenario === name && delay === DELAY)
    const counted = work.find(({ scenario, contestant }) => scenario === name && contestant === 'gateway')
    const medianOf = (wanted: ContestantName): number =>
      figures.find(({ contestant }) => contestant === wanted)?.median ?? Number.NaN
    return [
      SCENARIOS.find((scenario) => scenario.name === name)?.describes ?? name,
      ...COLUMNS.map((wanted) => figure(medianOf(wanted))),
      figure(ratio(figures, ({ median }) => median, ['gateway', 'twin'])),
      figure(ratio(figures, ({ median }) => median, ['gateway', 'hand-built'])),
      figure(counted ? counted.writeUnits / counted.values : Number.NaN),
    ]
  })
  const loaded = throughput.filter(({ scenario }) => scenario === 'S2')
  const perSecond = (wanted: ContestantName): string => {
    return figure(loaded.find(({ contestant }) => contestant === wanted)?.perSecond ?? Number.NaN)
  }
  const head = ['median in ms', ...COLUMNS.map((name) => CONTESTANTS[name]), 'gateway to twin', 'gateway to hand-built']
  return [
    table([...head, 'write units a value'], rows),
    `With 16 requests of 100 patients at the same time, a process answers ${perSecond('gateway')} a second; hand-built ${perSecond('hand-built')}, with the AWS Encryption SDK ${perSecond('encryption-sdk')}. Node ${machine.node.slice(1)}, ${machine.processors} x ${machine.processor}, ${DELAY} ms for each round trip to the store.`,
  ].join('\n\n')
}

/**
 * Replaces the figures between the markers.
 *
 * @throws RangeError if a marker is missing
 */
export function withFigures(readme: string, figures: string): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)]
  if (begin === -1 || end < begin) throw new RangeError('README.md has no markers for the figures.')
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${figures}\n\n${readme.slice(end)}`
}

if (import.meta.main) {
  const file = new URL('../README.md', import.meta.url)
  writeFileSync(file, withFigures(readFileSync(file, 'utf8'), readmeFigures(storedResults())))
}
