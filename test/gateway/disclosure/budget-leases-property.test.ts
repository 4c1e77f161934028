import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BudgetModel, BudgetProcess, HOUR_MS, hourOf, turn, userOf } from './budget-world.ts'

const PROCESSES = 4
const MINUTE = 60_000

type Step =
  | { readonly act: 'READ'; readonly process: number; readonly atMost: number; readonly percent: number }
  | { readonly act: 'TAKE'; readonly of: number }
  | { readonly act: 'ANSWER' | 'LOSE' | 'DROP'; readonly of: number }
  | { readonly act: 'CRASH'; readonly process: number }
  | { readonly act: 'PASS'; readonly milliseconds: number }
  | {
      readonly act: 'FREEZE'
      readonly process: number
      readonly milliseconds: number
      readonly clock: 'both' | 'wall' | 'monotonic'
    }
  | { readonly act: 'SET_BACK'; readonly process: number; readonly milliseconds: number }

const process = fc.nat(PROCESSES - 1)
const of = fc.nat(20)
const times = fc.constantFrom(1_000, 10 * MINUTE, HOUR_MS, 3 * HOUR_MS)
/** Steps with crashes and lost calls, and correct clocks. */
const plain: fc.WeightedArbitrary<Step>[] = [
  {
    weight: 6,
    arbitrary: fc.record({ act: fc.constant('READ' as const), process, atMost: fc.nat(120), percent: fc.nat(100) }),
  },
  { weight: 6, arbitrary: fc.record({ act: fc.constant('TAKE' as const), of }) },
  { weight: 6, arbitrary: fc.record({ act: fc.constant('ANSWER' as const), of }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('LOSE' as const, 'DROP' as const), of }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('CRASH' as const), process }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('PASS' as const), milliseconds: fc.constantFrom(1_000, 10 * MINUTE) }) },
]
const clocks: fc.WeightedArbitrary<Step>[] = [
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('FREEZE' as const),
      process,
      milliseconds: times,
      clock: fc.constantFrom('both', 'wall', 'monotonic'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('SET_BACK' as const), process, milliseconds: times }) },
]

interface Request {
  readonly amount: number
  readonly end: () => void
  readonly on: BudgetProcess
}
/** The values of a request, and the first and last hour of the wall clock of its process during the request. */
interface Taking {
  readonly amount: number
  readonly on: BudgetProcess
  from: number
  to: number
}
interface Refused {
  readonly hour: number
  /** Values that requests took or could have taken within the hour, and lost values. */
  readonly spent: number
}

/** Plays steps, and keeps the result of each request. It sees leases only through the table and the requests. */
class World {
  readonly table = new BudgetModel()
  /** Values that requests took. A process that died in between disclosed none of its values. */
  readonly #taken: (Taking & { readonly isGiven: boolean })[] = []
  /** The refusals that began and ended in one hour. */
  readonly refused: Refused[] = []
  /** Processes by the hours in which they asked for values. */
  readonly #hosts = new Map<number, Set<BudgetProcess>>()
  readonly #limit: number
  readonly #processes = Array.from({ length: PROCESSES }, () => new BudgetProcess(this.table))
  #reading: Request[] = []
  readonly #taking = new Set<Taking>()
  readonly #takes: Promise<void>[] = []
  readonly #dead = new Set<BudgetProcess>()

  constructor(limit: number) {
    this.#limit = limit
  }

  async play(step: Step): Promise<void> {
    switch (step.act) {
      case 'READ': {
        const on = this.#at(step.process)
        const end = on.leases.begin(userOf(this.#limit), step.atMost, on.deadline())
        this.#reading.push({ amount: Math.ceil((step.atMost * step.percent) / 100), end, on })
        this.#hosted(on)
        break
      }
      case 'TAKE': {
        const [request] = this.#reading.splice(step.of % (this.#reading.length || 1), 1)
        if (request !== undefined) this.#takes.push(this.#take(request))
        break
      }
      case 'ANSWER':
      case 'LOSE':
      case 'DROP':
        this.table.calls[step.of % (this.table.calls.length || 1)]?.end(step.act === 'ANSWER', step.act !== 'DROP')
        break
      case 'CRASH': {
        const on = this.#at(step.process)
        this.#dead.add(on)
        this.#reading = this.#reading.filter((request) => request.on !== on)
        this.#processes[step.process] = new BudgetProcess(this.table, on.wall)
        break
      }
      case 'PASS':
        for (const on of this.#processes) on.pass(step.milliseconds)
        break
      case 'FREEZE':
        this.#at(step.process).pass(step.milliseconds, { wall: step.clock !== 'monotonic', monotonic: step.clock !== 'wall' })
        break
      case 'SET_BACK':
        this.#at(step.process).pass(-step.milliseconds, { monotonic: false })
    }
    for (const taking of this.#taking) {
      const hour = hourOf(taking.on.wall)
      taking.from = Math.min(taking.from, hour)
      taking.to = Math.max(taking.to, hour)
    }
    await turn()
  }

  /** Ends each request while the table answers. */
  async finish(): Promise<void> {
    this.#takes.push(...this.#reading.splice(0).map((request) => this.#take(request)))
    while (this.table.calls.length > 0) {
      this.table.end()
      await turn()
    }
    await Promise.all(this.#takes)
  }

  hosts(hour: number): number {
    return this.#hosts.get(hour)?.size ?? 0
  }

  givenIn(from: number, to: number): number {
    const within = this.#taken.filter((one) => one.isGiven && one.from >= from && one.to <= to)
    return within.reduce((sum, { amount }) => sum + amount, 0)
  }

  #at(process: number): BudgetProcess {
    return this.#processes[process] ?? expect.fail('no such process')
  }

  #hosted(on: BudgetProcess): void {
    const hour = hourOf(on.wall)
    this.#hosts.set(hour, (this.#hosts.get(hour) ?? new Set()).add(on))
  }

  async #take({ amount, end, on }: Request): Promise<void> {
    const hour = hourOf(on.wall)
    const taking: Taking = { amount, on, from: hour, to: hour }
    this.#hosted(on)
    this.#taking.add(taking)
    end()
    try {
      const isTaken = await on.leases.take(userOf(this.#limit), amount, on.deadline())
      const { from, to } = taking
      if (isTaken) this.#taken.push({ ...taking, isGiven: !this.#dead.has(on) })
      else if (from === to) {
        const within = [...this.#taken, ...this.#taking].filter((one) => one.from <= hour && hour <= one.to)
        const lost = this.table.lost.get(hour) ?? 0
        this.refused.push({ hour, spent: within.reduce((sum, one) => sum + one.amount, lost) })
      }
    } catch {
      // without the table, a request continues uncounted or receives nothing
    } finally {
      this.#taking.delete(taking)
    }
  }
}

async function played(limit: number, steps: readonly Step[]): Promise<World> {
  const world = new World(limit)
  for (const step of steps) await world.play(step)
  await world.finish()
  return world
}

const limits = fc.constantFrom(0, 50, 100, 250, 1_000, 5_000)
const stepsOf = (...kinds: fc.WeightedArbitrary<Step>[]) =>
  fc.array(fc.oneof(...kinds), { minLength: 40, maxLength: 300, size: 'max' })

// the time limit ends the search for a smaller counterexample before the test times out
const RUNS = { numRuns: 60, interruptAfterTimeLimit: 10_000 }

// a deadline that is never ended keeps a timer
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a user and an hour, over all processes', () => {
  it('never exceed the limit with crashes, lost answers, frozen clocks and clocks that are set back', async () => {
    await fc.assert(
      fc.asyncProperty(limits, stepsOf(...plain, ...clocks), async (limit, steps) => {
        const world = await played(limit, steps)
        const { used } = world.table
        for (const [hour, sum] of used) {
          expect(sum).toBeLessThanOrEqual(limit)
          expect(world.givenIn(hour, hour)).toBeLessThanOrEqual(sum)
          // a request that waited for the table over the end of an hour counts in one of the two hours
          expect(world.givenIn(hour, hour + 1)).toBeLessThanOrEqual(sum + (used.get(hour + 1) ?? 0))
        }
        const counted = [...used.values()].reduce((sum, one) => sum + one, 0)
        expect(world.givenIn(0, Infinity)).toBeLessThanOrEqual(counted)
      }),
      RUNS,
    )
  })

  it('lose at most a hundredth of the limit for each process before a refusal', async () => {
    let refusals = 0
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(100, 250, 1_000), stepsOf(...plain), async (limit, steps) => {
        const world = await played(limit, steps)
        refusals += world.refused.length
        for (const { hour, spent } of world.refused) {
          expect(spent).toBeGreaterThan(limit - Math.floor((limit * world.hosts(hour)) / 100))
        }
      }),
      RUNS,
    )
    expect(refusals).toBeGreaterThan(20)
  })
})

describe('a user of 20 processes', () => {
  it.each([1_000, 20_000, 50_000])('receives at least 80 percent of %i values before the first refusal', async (limit) => {
    const table = new BudgetModel()
    table.isPrompt = true
    const processes = Array.from({ length: 20 }, () => new BudgetProcess(table))
    const user = userOf(limit)
    let given = 0
    for (let round = 0; ; round++) {
      // every process holds a lease when the last one asks
      const on = processes[round < 20 ? round : 0] ?? expect.fail('no such process')
      const end = on.leases.begin(user, 40, on.deadline())
      await turn()
      end()
      if (!(await on.leases.take(user, 40, on.deadline()))) break
      given += 40
    }
    expect(given).toBeGreaterThanOrEqual(0.8 * limit - 40)
    expect(given).toBeLessThanOrEqual(limit)
  })
})
