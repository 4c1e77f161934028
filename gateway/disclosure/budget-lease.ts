import { type Clocks, Deadline } from '../model/deadline.ts'
import { type BudgetAccount, HOUR_MS, hourAfter } from '../model/budget.ts'

/** A lease has at most this share of the values that are left: an ended process loses no more of the period. */
const LEASES_IN_REST = 100
/** A lease suffices for about so many requests like those that run. */
const REQUESTS_IN_LEASE = 10

/** The values of one period that a process counted for one user or client in advance. Nothing is awaited here, so no value is given twice. */
export class BudgetLease {
  readonly account: BudgetAccount
  readonly most: number
  /** The end of the period on both clocks: a wall clock that is set back does not prolong it. */
  readonly #ends: Deadline
  /** Counted, and given to no request. */
  #held = 0
  /** Taken by requests that wait for the rest of their amounts. */
  #split = 0
  /** Upper bound of the amounts of the requests that read their records now. */
  #expected = 0
  /** A lower bound of the sum in the table. */
  #used = 0
  /** A claim in flight. Never rejects. */
  claim: Promise<void> | undefined

  constructor(account: BudgetAccount, most: number, clocks: Clocks) {
    this.account = account
    this.most = most
    this.#ends = new Deadline(hourAfter(account) * HOUR_MS, clocks)
  }

  get isOver(): boolean {
    return this.#ends.left === 0
  }

  has(amount: number): boolean {
    return this.#held >= amount
  }

  expect(amount: number): void {
    this.#expected += amount
  }

  /** The amount to claim now; 0 if the held values suffice for the running requests, or if too few are left for a lease. */
  get lacking(): number {
    if (this.claim !== undefined || this.#held >= this.#expected) return 0
    const size = Math.min(Math.floor((this.most - this.#used) / LEASES_IN_REST), this.#expected * REQUESTS_IN_LEASE)
    return Math.max(0, size - this.#held - this.#split)
  }

  add(amount: number): void {
    this.#held += amount
  }

  /** Takes as much of the amount as is held. */
  split(amount: number): number {
    const taken = Math.min(amount, this.#held)
    this.#held -= taken
    this.#split += taken
    return taken
  }

  /** Ends a split: the request gives the taken values out, or returns them. */
  endSplit(taken: number, isGiven: boolean): void {
    this.#split -= taken
    if (!isGiven) this.#held += taken
  }

  /** Lowers later claims to the values that are left. */
  learn(amount: number, used: number | undefined): void {
    // a refused amount is larger than the values that are left
    this.#used = Math.max(this.#used, used ?? this.most - amount + 1)
  }
}
