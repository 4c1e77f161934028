import type { Deadline } from '../model/deadline.ts'
import type { AuditReads } from './audit-reads.ts'
import { type Item, sequenceKey } from './item.ts'

/** Milliseconds since the epoch, both inclusive. */
export interface TimeWindow {
  readonly from: number
  readonly to: number
}

/** A part of a lane, by sequence numbers, both inclusive. */
export interface SequenceRange {
  readonly first: number
  readonly last: number
}

/** Each probe is this much further than the one before. The probes of a lane fill one `BatchGetItem`. */
const GROWTH = 1.16
const PROBES = 98
/** A larger range is probed again, in even steps. */
const LARGE_RANGE = 2_000
const MAX_REFINEMENTS = 2

/** The numbers of the first probes: 1, 2, 3 and so on, then in growing steps, up to several million. */
const FIRST_PROBES = firstProbes()

/**
 * The times of some items of a lane, which locate a time in it.
 *
 * A lane has the order of storing, and an item the time of its first record. The times are therefore in order only but for the
 * duration of a request. A window has to be wider by that.
 */
export class LaneTimes {
  readonly #reads: AuditReads
  readonly #lane: string
  /** The last sequence number. */
  readonly #end: number
  readonly #times: Map<number, number>

  private constructor(reads: AuditReads, lane: string, end: number, times: Map<number, number>) {
    this.#reads = reads
    this.#lane = lane
    this.#end = end
    this.#times = times
  }

  /**
   * Reads the end of a lane and the first probes, in one round of requests.
   *
   * @param lane the key of the lane
   * @throws StoreUnavailable
   */
  static async read(reads: AuditReads, lane: string, deadline?: Deadline): Promise<LaneTimes> {
    const [{ items }, times] = await Promise.all([
      reads.page(
        {
          KeyConditionExpression: 'l = :lane',
          ExpressionAttributeValues: { ':lane': { S: lane } },
          ProjectionExpression: 'n',
          ScanIndexForward: false,
          Limit: 1,
          ConsistentRead: true,
        },
        deadline,
      ),
      timesAt(reads, lane, FIRST_PROBES, deadline),
    ])
    return new LaneTimes(reads, lane, Number(items[0]?.['n']?.S ?? 0), new Map(times))
  }

  /**
   * A part of the lane that has all items of a window. A large part is probed again, in another round of requests.
   *
   * @throws StoreUnavailable
   */
  async range(window: TimeWindow, deadline?: Deadline): Promise<SequenceRange> {
    let range = this.#known(window)
    for (let refined = 0; refined < MAX_REFINEMENTS && range.last - range.first > LARGE_RANGE; refined++) {
      const { first, last } = range
      const step = (last - first) / (PROBES + 1)
      const probes = Array.from({ length: PROBES }, (_, at) => Math.round(first + (at + 1) * step))
      for (const [sequence, time] of await timesAt(this.#reads, this.#lane, probes, deadline)) this.#times.set(sequence, time)
      range = this.#known(window)
    }
    return range
  }

  /** Items that were removed have no time, and are skipped. */
  #known({ from, to }: TimeWindow): SequenceRange {
    const probes = [...this.#times].sort(([one], [other]) => one - other)
    const inside = probes.findIndex(([, time]) => time >= from)
    const before = probes[(inside === -1 ? probes.length : inside) - 1]
    const after = probes[probes.findLastIndex(([, time]) => time <= to) + 1]
    return { first: before?.[0] ?? 1, last: after?.[0] ?? this.#end }
  }
}

async function timesAt(
  reads: AuditReads,
  lane: string,
  sequences: readonly number[],
  deadline: Deadline | undefined,
): Promise<[number, number][]> {
  const keys = sequences.map((sequence): Item => ({ l: { S: lane }, n: { S: sequenceKey(sequence) } }))
  const items = await reads.get(keys, deadline, ['n', 'at'])
  return items.map((item) => [Number(item['n']?.S), Number(item['at']?.N)])
}

function firstProbes(): number[] {
  const probes = [1]
  while (probes.length < PROBES) {
    const last = probes.at(-1) ?? 1
    probes.push(Math.max(last + 1, Math.floor(last * GROWTH)))
  }
  return probes
}
