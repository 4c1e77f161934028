/** The median of numbers; 0 without any. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 0 ? ((sorted[middle - 1] ?? 0) + upper) / 2 : upper
}

/** Makes the median absolute deviation an estimate of the standard deviation of a normal distribution. */
const MAD_TO_DEVIATION = 1.4826

export interface Spread {
  readonly median: number
  /** In the unit of the values, never 0. */
  readonly deviation: number
  readonly size: number
  /** The highest value but one: a single extreme day is no habit. */
  readonly peak: number
}

/**
 * Median and spread of a sample, both robust against outliers (Iglewicz and Hoaglin, 1993).
 *
 * @param least the smallest deviation: of the median as a share, and absolute. Small or constant counts would have none
 */
export function spreadOf(values: readonly number[], least: { readonly share: number; readonly absolute: number }): Spread {
  const middle = median(values)
  const mad = median(values.map((value) => Math.abs(value - middle)))
  const peak = values.toSorted((one, other) => other - one)[1] ?? values[0] ?? 0
  return {
    median: middle,
    deviation: Math.max(MAD_TO_DEVIATION * mad, least.share * middle, least.absolute),
    size: values.length,
    peak,
  }
}

/** The number of deviations that a value is above the median. */
export const robustZ = (value: number, { median: middle, deviation }: Spread): number => (value - middle) / deviation
