import { vi } from 'vitest'
import { BudgetLeases } from '../../gateway/disclosure/budget-leases.ts'
import { RefusalCounts } from '../../gateway/disclosure/refusal-counts.ts'
import { ResponseSize } from '../../gateway/disclosure/response-size.ts'
import type { CountedRequest, CountedWork } from './counted-requests.ts'
import { bytesOf } from './running-clinic.ts'

/** Everything that a caller, or an observer of the tables, can compare between two answers. */
export interface Seen {
  /** The bytes. Ids and cursors differ, and only their lengths are compared. */
  readonly text: string
  /** The requests to the tables with the types of their keys, and the lengths of written items. */
  readonly requests: readonly string[]
  /**
   * The values that were claimed of the hourly budget and taken from it, the refusals that were counted, and the size of the answer at
   * most. When a process writes its counts depends on earlier requests, the counts do not.
   */
  readonly counts: readonly string[]
  /** Decryptions. They take most of the processor time of an answer. */
  readonly openings: number
}

/** What requests count, since the start. */
interface CountWatch {
  start(): void
  counts(): Seen['counts']
  stop(): void
}

export function watchCounts(): CountWatch {
  const begin = vi.spyOn(BudgetLeases.prototype, 'begin')
  const take = vi.spyOn(BudgetLeases.prototype, 'takeReturnable')
  const refused = vi.spyOn(RefusalCounts.prototype, 'add')
  const size = vi.spyOn(ResponseSize.prototype, 'add')
  const spies = [begin, take, refused, size]
  return {
    start: () => {
      for (const spy of spies) spy.mockClear()
    },
    counts: () => [
      ...begin.mock.calls.map(([, amount]) => `begin ${amount}`),
      ...take.mock.calls.map(([, amount]) => `take ${amount}`),
      ...refused.mock.calls.map(([, { values, ids }]) => `refused ${values} ${ids}`),
      ...[...new Set(size.mock.contexts as ResponseSize[])].map(({ bytes }) => `size ${bytes}`),
    ],
    stop: () => {
      for (const spy of spies) spy.mockRestore()
    },
  }
}

/** Tables whose requests depend on earlier requests and on the time, whatever is asked. */
const TIMED: ReadonlySet<string> = new Set(['budgets', 'sessions'])

export function seenOf({ answer, waves, openings }: CountedWork, counts: Seen['counts']): Seen {
  const text = bytesOf(answer).replaceAll(
    /"(id|cursor|startCursor|endCursor)":"([^"]*)"/g,
    (_, name: string, value: string) => `"${name}":${value.length}`,
  )
  const requests = waves.flat().filter(({ table }) => !TIMED.has(table))
  return { text, requests: requests.map(describeRequest).toSorted(), counts, openings }
}

const describeRequest = ({ operation, table, keys, named, lengths }: CountedRequest): string =>
  [operation, table, keys, ...named.map((name) => name.replace(/#.*/, '')).toSorted(), ...lengths].join(' ')

/**
 * Asks several questions that must have equal answers and equal work.
 *
 * @param ask asks the question of one side
 * @returns what was seen of each side, after a second attempt if they differ: a session and a key are read again after some time,
 *   whatever is asked
 */
export async function seenOfAll<Side>(
  sides: readonly Side[],
  ask: (side: Side) => Promise<{ readonly work: CountedWork; readonly seen: Seen }>,
): Promise<readonly { readonly work: CountedWork; readonly seen: Seen }[]> {
  const attempt = async () => {
    const all = []
    for (const side of sides) all.push(await ask(side))
    return all
  }
  const first = await attempt()
  return new Set(first.map(({ seen }) => JSON.stringify(seen))).size === 1 ? first : await attempt()
}
