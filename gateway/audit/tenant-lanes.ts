import type { Lane } from './lane.ts'
import { AuditUnavailable } from '../model/failures.ts'
import { MAX_ACTIONS, type Submission } from './submission.ts'

/** What a lane tells of itself while it writes, so that the others are chosen by it. */
interface LaneCalls {
  readonly onRetired: (lane: Lane) => void
  readonly onThrottled: (lane: Lane) => void
}

export type OpenLane = (calls: LaneCalls, succeeds: string | undefined) => Lane

/**
 * The lanes that one process has for one tenant, and what waits for them.
 *
 * Nothing waits behind a lane: what is not sent yet belongs to none, so that a lane which is throttled, stuck or retired
 * holds back its own transaction and no other. Little load stays on one lane, since each lane more is one to register, to
 * seal and to search.
 */
export class TenantLanes {
  readonly #most: number
  readonly #open: OpenLane
  readonly #waiting = new Set<Submission>()
  /** Those that are not retired, the first choice first. */
  #lanes: Lane[] = []
  #due = false

  /** @param most how many lanes there may be at once, not counting retired ones */
  constructor(most: number, open: OpenLane) {
    this.#most = most
    this.#open = open
  }

  submit(submission: Submission): void {
    this.#waiting.add(submission)
    this.#dispatchSoon()
  }

  /** It is of no more use: it is not sent, unless it was already. */
  withdraw(submission: Submission): void {
    this.#waiting.delete(submission)
  }

  /** After this tick, so that those who come at once share transactions. */
  #dispatchSoon(): void {
    if (this.#due) return
    this.#due = true
    queueMicrotask(() => {
      this.#due = false
      this.#dispatch()
    })
  }

  #dispatch(): void {
    while (this.#waiting.size > 0) {
      const lane = this.#idle() ?? this.#another()
      if (lane === undefined) return
      const group = this.#take()
      if (group.length === 0) return
      const done = (): void => this.#dispatchSoon()
      lane.write(group).then(done, done)
    }
  }

  /** Successors come first: only the first record of one makes the retirement before it known. */
  #idle(): Lane | undefined {
    const idle = this.#lanes.filter(({ busy }) => !busy)
    return idle.find(({ owesSuccession }) => owesSuccession) ?? idle[0]
  }

  #another(): Lane | undefined {
    if (this.#lanes.length >= this.#most) return undefined
    const lane = this.#opened(undefined)
    this.#lanes.push(lane)
    return lane
  }

  #opened(succeeds: string | undefined): Lane {
    const calls: LaneCalls = {
      onRetired: (lane) => {
        this.#lanes = this.#lanes.map((other) => (other === lane ? this.#opened(lane.end) : other))
        this.#dispatchSoon()
      },
      onThrottled: (lane) => {
        // its partition has no room just now; the others have their own
        this.#lanes = [...this.#lanes.filter((other) => other !== lane), lane]
      },
    }
    return this.#open(calls, succeeds)
  }

  /** The next submissions that travel together. One that writes other items goes alone: its conditions are its own. */
  #take(): Submission[] {
    const group: Submission[] = []
    let actions = 0
    for (const next of this.#waiting) {
      if (next.deadline.left <= 0) {
        this.#waiting.delete(next)
        next.reject(new AuditUnavailable())
        continue
      }
      const alone = next.items.length > 0
      const size = next.records.length + next.items.length
      if (group.length > 0 && (alone || actions + size > MAX_ACTIONS)) break
      this.#waiting.delete(next)
      group.push(next)
      actions += size
      if (alone) break
    }
    return group
  }
}
