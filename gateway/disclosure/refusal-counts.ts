import { hourNumber, type Refusals } from '../model/budget.ts'
import type { Clocks, Deadline } from '../model/deadline.ts'
import { storeOverdue } from '../model/failures.ts'
import type { TenantId, UserId } from '../model/ids.ts'
import type { BudgetSource } from './budget-source.ts'

/** A user, and the refusals that this user may be shown within an hour. */
export interface RefusedUser {
  readonly tenant: TenantId
  readonly user: UserId
  readonly most: Refusals
}

/** Users of one process, about 300 bytes each. The count of a further user is read again after the next refusal. */
const MAX_USERS = 10_000
/** A process adds its refusals to the table when they reach this share of the limit, so that few requests wait for the table. */
const PARTS = 100
const MINUTE_MS = 60_000

interface Counted {
  /** A lower bound of the sum in the table. */
  known: Refusals
  /** Refusals that are not in the table yet. */
  pending: Refusals
  /** Requests that were stopped since the last one that was recorded. */
  stopped: number
  recordedAt: number
}

/**
 * The refusals that callers were shown within the hour: denied values, and ids that were not found.
 *
 * Refusals are known after a request, so that the count may exceed the limit by the requests in flight, and by a hundredth for each
 * process. A process that ends loses at most that share.
 *
 * @source docs/decisions/0030-budgets-of-searches-and-refusals.md
 */
export class RefusalCounts {
  readonly #source: BudgetSource
  readonly #clocks: Clocks
  readonly #users = new Map<string, Counted>()
  readonly #max: number

  constructor(source: BudgetSource, clocks: Clocks, max = MAX_USERS) {
    this.#source = source
    this.#clocks = clocks
    this.#max = max
  }

  /** Whether the user was shown more refusals than allowed, by the knowledge of this process. */
  isSpent(user: RefusedUser): boolean {
    const { known, pending } = this.#users.get(this.#keyOf(user)) ?? NONE_COUNTED
    return known.values + pending.values >= user.most.values || known.ids + pending.ids >= user.most.ids
  }

  /**
   * Counts a request that is stopped because the budget is spent.
   *
   * @returns the number of stopped requests to record now, or undefined: one record a minute has them all
   */
  stopped(user: RefusedUser): number | undefined {
    const counted = this.#counted(user)
    counted.stopped++
    const now = this.#clocks.now()
    if (Math.abs(now - counted.recordedAt) < MINUTE_MS) return undefined
    const { stopped } = counted
    counted.recordedAt = now
    counted.stopped = 0
    return stopped
  }

  /**
   * Adds the refusals of a request. Without the table, the process counts its own.
   *
   * @throws StoreUnavailable after that
   */
  async add(user: RefusedUser, { values, ids }: Refusals, deadline: Deadline): Promise<void> {
    if (values === 0 && ids === 0) return
    const { tenant, most } = user
    const counted = this.#counted(user)
    const pending = sum(counted.pending, { values, ids })
    counted.pending = pending
    if (pending.values * PARTS < most.values && pending.ids * PARTS < most.ids) return
    counted.pending = NO_REFUSALS
    const { known } = counted
    // until the table answers, and if it does not: the refusals may be in the table or not, and this process counts them in any case
    counted.known = sum(known, pending)
    const account = { tenant, user: user.user, hour: this.#hour(), kind: 'REFUSALS' } as const
    const added = await deadline.wait(() => this.#source.addRefusals(account, pending, deadline), storeOverdue)
    counted.known = larger(counted.known, added)
  }

  #counted(user: RefusedUser): Counted {
    const key = this.#keyOf(user)
    const counted = this.#users.get(key) ?? { ...NONE_COUNTED }
    // the latest users are last
    this.#users.delete(key)
    this.#users.set(key, counted)
    const [oldest] = this.#users.keys()
    if (this.#users.size > this.#max && oldest !== undefined) this.#users.delete(oldest)
    return counted
  }

  #hour(): number {
    return hourNumber(this.#clocks.now())
  }

  #keyOf({ tenant, user }: RefusedUser): string {
    return JSON.stringify([tenant, user, this.#hour()])
  }
}

const NO_REFUSALS: Refusals = { values: 0, ids: 0 }
const NONE_COUNTED: Counted = { known: NO_REFUSALS, pending: NO_REFUSALS, stopped: 0, recordedAt: Number.NEGATIVE_INFINITY }

const sum = (one: Refusals, other: Refusals): Refusals => ({ values: one.values + other.values, ids: one.ids + other.ids })
const larger = (one: Refusals, other: Refusals): Refusals => ({
  values: Math.max(one.values, other.values),
  ids: Math.max(one.ids, other.ids),
})
