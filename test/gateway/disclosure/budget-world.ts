import { BudgetLeases, type BudgetUser } from '../../../gateway/disclosure/budget-leases.ts'
import type { BudgetSource } from '../../../gateway/disclosure/budget-source.ts'
import type { BudgetAccount } from '../../../gateway/model/budget.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { TenantId, UserId } from '../../../gateway/model/ids.ts'

export const HOUR_MS = 3_600_000
/** The start of an hour. */
export const START = Date.parse('2026-03-01T12:00:00Z')
export const hourOf = (at: number): number => Math.floor(at / HOUR_MS)

export const userOf = (most: number, user = 'ada'): BudgetUser => ({ tenant: 'riverside' as TenantId, user: user as UserId, most })

interface Call {
  readonly account: BudgetAccount
  readonly amount: number
  readonly most: number
  readonly end: (isAnswered: boolean, isApplied: boolean) => void
}

/** The sums in memory, behind a simulated network: each call waits until a test ends it. */
export class BudgetModel implements BudgetSource {
  readonly calls: Call[] = []
  /** Sums by hour, over all users. */
  readonly used = new Map<number, number>()
  /** Applied amounts without an answer, by hour. */
  readonly lost = new Map<number, number>()
  /** Answers at once. */
  isPrompt = false
  /** The requested amounts, in order. */
  readonly asked: number[] = []

  get requests(): number {
    return this.asked.length
  }

  reserve(account: BudgetAccount, amount: number, most: number): Promise<number | undefined> {
    this.asked.push(amount)
    return new Promise((resolve, reject) => {
      const end: Call['end'] = (isAnswered, isApplied) => {
        const at = this.calls.indexOf(call)
        if (at >= 0) this.calls.splice(at, 1)
        const sum = (this.used.get(account.hour) ?? 0) + amount
        const fits = isApplied && sum <= most
        if (fits) this.used.set(account.hour, sum)
        if (fits && !isAnswered) this.lost.set(account.hour, (this.lost.get(account.hour) ?? 0) + amount)
        if (isAnswered) resolve(fits ? sum : undefined)
        else reject(new StoreUnavailable())
      }
      const call: Call = { account, amount, most, end }
      this.calls.push(call)
      if (this.isPrompt) end(true, true)
    })
  }

  /** No test of leases refuses anything. */
  addRefusals(): never {
    throw new TypeError('no refusals')
  }

  /** Ends the oldest call. An answer may be lost before or after the table applied the call. */
  end({ isAnswered = true, isApplied = true } = {}): void {
    this.calls[0]?.end(isAnswered, isApplied)
  }
}

/** A process with its own clocks. */
export class BudgetProcess {
  readonly leases: BudgetLeases
  wall: number
  monotonic = 0

  constructor(source: BudgetSource, wall: number = START) {
    this.wall = wall
    this.leases = new BudgetLeases(source, this.clocks)
  }

  get clocks() {
    return { now: () => this.wall, monotonic: () => this.monotonic }
  }

  deadline(milliseconds = 5_000): Deadline {
    return new Deadline(this.wall + milliseconds, this.clocks)
  }

  pass(milliseconds: number, { wall = true, monotonic = true } = {}): void {
    if (wall) this.wall += milliseconds
    if (monotonic) this.monotonic += milliseconds
  }
}

/** Lets every pending promise continue. */
export const turn = async (): Promise<void> => {
  await new Promise((resolve) => void setImmediate(resolve))
}
