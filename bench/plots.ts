import { CONTESTANT_NAMES, CONTESTANTS, type ContestantName } from './contestant-names.ts'
import type { Results } from './results.ts'
import { figure } from './tables.ts'

// SVG plots without a library: grouped horizontal bars. All plots have logarithmic axes, because figures differ by a factor of 100.

interface Bar {
  readonly contestant: ContestantName
  readonly value: number
}

interface BarGroup {
  readonly name: string
  readonly bars: readonly Bar[]
}

export interface Plot {
  readonly title: string
  readonly unit: string
  readonly groups: readonly BarGroup[]
}

const COLORS: Readonly<Record<ContestantName, string>> = {
  twin: '#9aa5b1',
  shield: '#7aa6c2',
  'hand-built': '#d9a441',
  'encryption-sdk': '#c0694e',
  gateway: '#2f6f4f',
}
const WIDTH = 760
const LEFT = 90
const RIGHT = 80
const TOP = 64
const BAR = 14
const GAP = 12

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

const textAt = (x: number, y: number, text: string, attributes = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${attributes}>${escaped(text)}</text>`

/** Draws a plot. An axis begins at a power of ten. */
export function svgOf({ title, unit, groups }: Plot): string {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value)).filter((value) => value > 0)
  const low = Math.floor(Math.log10(Math.min(...values)) - 0.05)
  const high = Math.ceil(Math.log10(Math.max(...values)))
  const scale = (value: number): number => LEFT + ((Math.log10(value) - low) / (high - low)) * (WIDTH - LEFT - RIGHT)
  const shown = CONTESTANT_NAMES.filter((name) => groups.some(({ bars }) => bars.some(({ contestant }) => contestant === name)))
  const parts: string[] = []
  let y = TOP
  for (const { name, bars } of groups) {
    parts.push(textAt(LEFT - 8, y + (bars.length * BAR) / 2 + 4, name, ' text-anchor="end" font-weight="600"'))
    for (const { contestant, value } of bars) {
      const width = Math.max(1, scale(value) - LEFT)
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${COLORS[contestant]}"/>`,
        textAt(LEFT + width + 4, y + BAR - 4, figure(value), ' font-size="10"'),
      )
      y += BAR
    }
    y += GAP
  }
  const bottom = y
  const grid = Array.from({ length: high - low + 1 }, (_, step) => 10 ** (low + step)).flatMap((value) => [
    `<line x1="${scale(value).toFixed(1)}" y1="${TOP - 6}" x2="${scale(value).toFixed(1)}" y2="${bottom}" stroke="#e2e6ea"/>`,
    textAt(scale(value), bottom + 14, figure(value), ' text-anchor="middle" fill="#667"'),
  ])
  let x = LEFT
  const legend = shown.flatMap((name) => {
    const at = x
    x += 22 + CONTESTANTS[name].length * 6.4
    return [`<rect x="${at}" y="34" width="10" height="10" fill="${COLORS[name]}"/>`, textAt(at + 14, 43, CONTESTANTS[name])]
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${bottom + 40}" viewBox="0 0 ${WIDTH} ${bottom + 40}" font-family="system-ui, sans-serif" font-size="11" fill="#222">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    textAt(LEFT, 20, title, ' font-size="14" font-weight="600"'),
    ...legend,
    ...grid,
    ...parts,
    textAt(WIDTH - RIGHT, bottom + 32, unit, ' text-anchor="end" fill="#667"'),
    '</svg>',
    '',
  ].join('\n')
}

function groupsOf<Figure extends { readonly contestant: ContestantName }>(
  figures: readonly Figure[],
  nameOf: (figure: Figure) => string,
  valueOf: (figure: Figure) => number,
): BarGroup[] {
  return [...Map.groupBy(figures, nameOf)].map(([name, found]) => ({
    name,
    bars: found.map((one) => ({ contestant: one.contestant, value: valueOf(one) })),
  }))
}

/** The plots of a run, by the names of their files. */
export function plotsOf({ latency, throughput, scaling }: Results): ReadonlyMap<string, string> {
  const caseOf = ({ scenario, delay }: { readonly scenario: string; readonly delay: number }): string => `${scenario}, ${delay} ms`
  return new Map([
    [
      'latency',
      svgOf({
        title: 'Time of a request, by scenario and delay of the store',
        unit: 'milliseconds, median, logarithmic',
        groups: groupsOf(latency, caseOf, ({ median }) => median),
      }),
    ],
    [
      'throughput',
      svgOf({
        title: 'Requests a second, 16 at the same time',
        unit: 'requests a second, logarithmic',
        groups: groupsOf(throughput, caseOf, ({ perSecond }) => perSecond),
      }),
    ],
    [
      'scaling',
      svgOf({
        title: 'CPU time a value, by the number of values in a request',
        unit: 'microseconds of CPU a value, logarithmic',
        groups: groupsOf(
          scaling,
          ({ values }) => values.toLocaleString('en-US'),
          ({ cpu, values }) => (cpu / values) * 1_000,
        ),
      }),
    ],
  ])
}
