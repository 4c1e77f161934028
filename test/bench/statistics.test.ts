import { describe, expect, it } from 'vitest'
import { median, quantile, rounded } from '../../bench/statistics.ts'

describe('the statistics of the bench', () => {
  it('takes the middle value, or the mean of the two middle values', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([10, 1, 2, 3])).toBe(2.5)
    expect(median([])).toBeNaN()
  })

  it('interpolates a quantile between neighbors, and does not reorder its input', () => {
    const values = [40, 10, 30, 20]
    expect(quantile(values, 0)).toBe(10)
    expect(quantile(values, 0.95)).toBeCloseTo(38.5)
    expect(quantile(values, 1)).toBe(40)
    expect(values).toEqual([40, 10, 30, 20])
  })

  it('rounds to three significant digits', () => {
    expect([0.012345, 1.23456, 1234.5].map(rounded)).toEqual([0.0123, 1.23, 1230])
  })
})
