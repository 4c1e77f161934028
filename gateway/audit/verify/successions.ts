import type { SuccessionFinding } from './findings.ts'
import type { LaneEnd } from './lane.ts'

/** The items of one transaction at most: a retired lane may hold a last one that its writer got no answer about. */
export const ITEMS_IN_FLIGHT = 99

interface NamedEnd {
  /** The smallest number that a successor names as the last one. */
  readonly declared: number
  readonly successor: string
  /** The time of the first `forget` after it. */
  at?: number
}

/**
 * Compares the lanes of a log with the lanes that name them as their predecessor. Memory does not grow with the log: what is known of a
 * lane is forgotten with it, so that two successors that are further apart do not meet.
 */
export class Successions {
  readonly #report: (finding: SuccessionFinding) => void
  /** By lane: the lane before it. */
  readonly #before = new Map<string, string>()
  /** By lane: one further back. Without them, each new lane of a long chain would walk the whole chain. */
  readonly #shortcuts = new Map<string, string>()
  readonly #ends = new Map<string, NamedEnd>()
  /** By lane: those of its successors that have more than one transaction. */
  readonly #longSuccessors = new Map<string, { readonly names: string[]; at?: number }>()

  constructor(report: (finding: SuccessionFinding) => void) {
    this.#report = report
  }

  /** The first item of a lane names the end of the lane before. */
  opened(lane: string, { lane: before, sequence: declared }: LaneEnd): void {
    const known = this.#ends.get(before)
    if (known === undefined || declared < known.declared) this.#ends.set(before, { declared, successor: lane })
    const isCircle = this.#earliest(before) === lane
    this.#before.set(lane, before)
    if (!isCircle) {
      this.#shortcuts.set(lane, before)
      return
    }
    for (let at: string | undefined = before; at !== undefined && at !== lane; at = this.#before.get(at))
      this.#report({ kind: 'CIRCLE', lane: at })
    this.#report({ kind: 'CIRCLE', lane })
  }

  /** Nothing more of the lane is expected. */
  concluded(lane: string, { count, held }: { readonly count: number; readonly held: number }): void {
    const end = this.#ends.get(lane)
    if (end !== undefined && held > end.declared + ITEMS_IN_FLIGHT)
      this.#report({ kind: 'WENT_ON', lane, successor: end.successor, held, declared: end.declared })
    this.#ends.delete(lane)
    const before = this.#before.get(lane)
    this.#before.delete(lane)
    this.#shortcuts.delete(lane)
    // the successor of a lane without an acknowledged item names the lane before that one: two may then name the same
    if (before === undefined || count <= ITEMS_IN_FLIGHT) return
    const known = this.#longSuccessors.get(before)
    known?.names.push(lane)
    this.#longSuccessors.set(before, { names: known?.names ?? [lane] })
  }

  /** @param age of what is forgotten, and the time of the log, in milliseconds */
  forget(age: number, time: number): void {
    for (const [lane, end] of this.#ends) if ((end.at ??= time) + age <= time) this.#ends.delete(lane)
    for (const [lane, successors] of this.#longSuccessors) if ((successors.at ??= time) + age <= time) this.#compareForks(lane)
  }

  finish(): void {
    for (const lane of this.#longSuccessors.keys()) this.#compareForks(lane)
  }

  #compareForks(lane: string): void {
    const successors = this.#longSuccessors.get(lane)?.names ?? []
    if (successors.length > 1) this.#report({ kind: 'FORKED', lane, successors })
    this.#longSuccessors.delete(lane)
  }

  /** The first lane of the chain that leads to this one. */
  #earliest(lane: string): string {
    const passed: string[] = []
    let earliest = lane
    for (let next = this.#shortcuts.get(earliest); next !== undefined; next = this.#shortcuts.get(earliest)) {
      passed.push(earliest)
      earliest = next
    }
    for (const one of passed) this.#shortcuts.set(one, earliest)
    return earliest
  }
}
