import { AuditUnavailable } from '../model/failures.ts'
import type { Lane, Retirement } from './lane.ts'
import { MAX_ACTIONS, MAX_UNITS, type Submission } from './submission.ts'

/** Callbacks of a lane. The choice among lanes depends on them. */
interface LaneCalls {
  readonly onRetired: (lane: Lane, why: Retirement) => void
  readonly onThrottled: (lane: Lane) => void
}

export type OpenLane = (calls: LaneCalls, succeeds: string | undefined) => Lane

/**
 * The lanes of one process for one tenant, and one queue for all of them.
 *
 * Unsent items belong to no lane, so that a throttled, stuck or retired lane delays only its own transaction. Under low load all
 * items go to one lane: each further lane has to be registered, sealed and searched.
 */
export class TenantLanes {
  readonly #max: number
  readonly #open: OpenLane
  #waiting = new Set<Submission>()
  /** The lanes that are not retired; the first choice is first. */
  #lanes: Lane[] = []
  /** The ends of lanes of past hours, for the lanes that this process opens next. */
  readonly #ended: string[] = []
  #isScheduled = false

  /** @param max the number of lanes at one time, without retired ones */
  constructor(max: number, open: OpenLane) {
    this.#max = max
    this.#open = open
  }

  submit(submission: Submission): void {
    this.#waiting.add(submission)
    this.#dispatchSoon()
  }

  /** Removes a submission that is not sent yet. */
  withdraw(submission: Submission): void {
    this.#waiting.delete(submission)
  }

  /** After this tick, so that submissions of one tick share transactions. */
  #dispatchSoon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#dispatch()
    })
  }

  #dispatch(): void {
    while (this.#waiting.size > 0) {
      const lane = this.#idle() ?? this.#another()
      if (lane === undefined) return
      const group = this.#take()
      if (group.length === 0) return
      const done = (unsent: readonly Submission[]): void => {
        if (unsent.length > 0) this.#waiting = new Set([...unsent, ...this.#waiting])
        this.#dispatchSoon()
      }
      lane.write(group).then(done, () => done([]))
    }
  }

  /** Successors of retired lanes come first: only the first item of a successor makes the retirement known. */
  #idle(): Lane | undefined {
    this.#endHours()
    const idle = this.#lanes.filter(({ busy }) => !busy)
    return idle.find(({ owesSuccession }) => owesSuccession) ?? idle[0]
  }

  /** A lane begins no transaction after its hour. A busy one ends when its transaction does. */
  #endHours(): void {
    const over = this.#lanes.filter(({ busy, isOver }) => isOver && !busy)
    if (over.length === 0) return
    this.#lanes = this.#lanes.filter((lane) => !over.includes(lane))
    for (const { hasEnd, owesSuccession, end } of over) {
      // a lane that stored nothing has no end to continue, unless it owes the end of another one
      if (owesSuccession) this.#ended.unshift(end)
      else if (hasEnd) this.#ended.push(end)
    }
  }

  #another(): Lane | undefined {
    if (this.#lanes.length >= this.#max) return undefined
    const lane = this.#opened(this.#ended.shift())
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
        // the partition of this lane has no capacity now; the other lanes have their own
        this.#lanes = [...this.#lanes.filter((other) => other !== lane), lane]
      },
    }
    return this.#open(calls, succeeds)
  }

  /** The next submissions of one transaction. A submission with writes goes alone: its conditions are its own. */
  #take(): Submission[] {
    const group: Submission[] = []
    let [actions, units] = [0, 0]
    for (const next of this.#waiting) {
      if (next.deadline.left <= 0) {
        this.#waiting.delete(next)
        next.reject(new AuditUnavailable())
        continue
      }
      const alone = next.writes.length > 0
      const size = next.drafts.length + next.writes.length
      const cost = next.drafts.reduce((sum, draft) => sum + draft.units, 0)
      if (group.length > 0 && (alone || actions + size > MAX_ACTIONS || units + cost > MAX_UNITS)) break
      this.#waiting.delete(next)
      group.push(next)
      actions += size
      units += cost
      if (alone) break
    }
    return group
  }
}
