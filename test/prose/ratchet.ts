import type { Pattern } from './words.ts'

/** Hits per 1,000 words, by folder and pattern. A rate within its limit has no entry. */
export type Rates = Readonly<Record<string, Readonly<Record<string, number>>>>

/** The hits of one pattern in one folder. */
export interface Tally {
  readonly folder: string
  readonly pattern: Pattern
  readonly words: number
  readonly hits: number
}

export type Verdict = 'within limit' | 'within stored rate' | 'above'

/** The folder that a file is measured with; undefined for a file that the check skips. */
export function folderOf(path: string): string | undefined {
  const [top = '', room = '', ...rest] = path.split('/')
  if (path.startsWith('test/prose/')) return undefined
  if (room === '') return path.endsWith('.md') ? 'docs' : 'infra'
  if (top === '.ci') return 'infra'
  return top === 'gateway' && rest.length > 0 ? `gateway/${room}` : top
}

/** Hits per 1,000 words, to two decimals. */
export function rateOf({ hits, words }: Pick<Tally, 'hits' | 'words'>): number {
  return words === 0 ? 0 : Math.round((hits / words) * 100_000) / 100
}

/** A limit is rounded up to whole hits: a folder with few words does not fail for one. */
function isWithinLimit({ hits, words, pattern }: Tally): boolean {
  return hits <= Math.ceil((pattern.limit * words) / 1000)
}

/** `stored` holds ratcheted folders only: without an entry the limit applies. */
export function verdictOf(tally: Tally, stored: Rates): Verdict {
  if (isWithinLimit(tally)) return 'within limit'
  return rateOf(tally) <= storedRate(tally, stored) ? 'within stored rate' : 'above'
}

/** Whether `--store` would lower or drop the entry. */
export function hasFallen(tally: Tally, stored: Rates): boolean {
  const before = storedRate(tally, stored)
  return before > 0 && (isWithinLimit(tally) || rateOf(tally) < before)
}

/** The rates to store. Without a stored file every rate is accepted; with one, `raised` lists the rates that may not be stored. */
export function nextRates(tallies: readonly Tally[], stored: Rates | undefined): { rates: Rates; raised: readonly Tally[] } {
  const rates: Record<string, Record<string, number>> = {}
  for (const tally of tallies.filter((one) => !isWithinLimit(one))) {
    rates[tally.folder] = { ...rates[tally.folder], [tally.pattern.name]: rateOf(tally) }
  }
  return { rates, raised: stored === undefined ? [] : tallies.filter((tally) => verdictOf(tally, stored) === 'above') }
}

function storedRate({ folder, pattern }: Tally, stored: Rates): number {
  return stored[folder]?.[pattern.name] ?? 0
}
