import { describe, expect, it } from 'vitest'
import { svgOf } from '../../bench/plots.ts'
import { figure, ratio, table } from '../../bench/tables.ts'

describe('the tables of the bench', () => {
  it('renders figures with two or three significant digits, and large ones as whole numbers', () => {
    expect([0.0312, 1.26, 14.84, 167.2, 4001].map(figure)).toEqual(['0.031', '1.3', '14.8', '167', '4,001'])
    expect(figure(Number.NaN)).toBe('-')
  })

  it('divides the figures of two contestants', () => {
    const figures = [
      { contestant: 'twin', value: 4 },
      { contestant: 'gateway', value: 10 },
    ] as const
    expect(ratio(figures, ({ value }) => value, ['gateway', 'twin'])).toBe(2.5)
    expect(ratio(figures, ({ value }) => value, ['gateway', 'shield'])).toBeNaN()
  })

  it('renders a table with right-aligned numbers', () => {
    expect(table(['', 'ms'], [['S1', '6.8']])).toBe('|  | ms |\n| --- | ---: |\n| S1 | 6.8 |')
  })

  it('draws one bar for each figure, longer for a larger figure', () => {
    const bars = [
      { contestant: 'twin', value: 2 },
      { contestant: 'gateway', value: 20 },
    ] as const
    const svg = svgOf({ title: 'time <of> a request', unit: 'ms', groups: [{ name: 'S1', bars }] })
    const widths = [...svg.matchAll(/<rect x="90" y="\d+" width="([\d.]+)" height="12"/g)].map(([, width]) => Number(width))
    expect(widths).toHaveLength(2)
    expect(widths[1]).toBeGreaterThan(widths[0] ?? Number.NaN)
    expect(svg).toContain('time &lt;of> a request')
  })
})
