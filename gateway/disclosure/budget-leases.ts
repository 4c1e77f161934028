import type { Clocks, Deadline } from '../model/deadline.ts'
import { type BudgetAccount, type ClientAccount, dayOf, hourNumber, type UserAccount } from '../model/budget.ts'
import { storeOverdue } from '../model/failures.ts'
import { BudgetLease } from './budget-lease.ts'
import type { BudgetSource } from './budget-source.ts'

/** A user, and the values that this user may be given within an hour. */
export interface BudgetUser extends Pick<UserAccount, 'tenant' | 'user'> {
  readonly most: number
}

/** A client with a contract, and the values that it may be given within a UTC day. */
export interface BudgetClient extends Pick<ClientAccount, 'tenant' | 'client'> {
  readonly most: number
}

export type BudgetHolder = BudgetUser | BudgetClient

/** Leases of one process and kind, about 300 bytes each. Without a lease, a request asks for its exact amount. */
const MAX_LEASES = 10_000

/**
 * The leases of one process. A process counts values in advance, in parallel with a read, and gives them out without a round trip.
 * Values of a lease that nobody received are lost at the end of its period or of its process.
 *
 * @source docs/decisions/0024-budget-leases.md
 */
export class BudgetLeases {
  readonly #source: BudgetSource
  readonly #clocks: Clocks
  /** By holder, limit and period, in the order of their periods. A day outlasts the hours that begin after it. */
  readonly #leases = { VALUES: new Map<string, BudgetLease>(), DAY: new Map<string, BudgetLease>() }

  readonly #max: number

  constructor(source: BudgetSource, clocks: Clocks, max = MAX_LEASES) {
    this.#source = source
    this.#clocks = clocks
    this.#max = max
  }

  /**
   * Begins a request of at most this amount. If the process holds fewer values, it claims a lease now, and nothing waits for it.
   *
   * @returns ends the request; called once, before its values are taken
   */
  begin(holder: BudgetHolder, amount: number, deadline: Deadline): () => void {
    const lease = this.#lease(holder)
    if (lease === undefined) return () => undefined
    lease.expect(amount)
    const lacking = lease.lacking
    if (lacking > 0) lease.claim = this.#claim(lease, lacking, deadline)
    return () => lease.expect(-amount)
  }

  /**
   * Takes values of the current period: from the lease, and the missing ones from the table.
   *
   * @returns false if the amount would exceed the limit; then nothing is taken
   * @throws StoreUnavailable if the table does not answer before the deadline; then nothing is taken of the lease
   */
  async take(holder: BudgetHolder, amount: number, deadline: Deadline): Promise<boolean> {
    return (await this.takeReturnable(holder, amount, deadline)) !== undefined
  }

  /**
   * Takes values as `take` does.
   *
   * @returns returns the values to the lease of the period in which they were taken, for an answer that does not leave; undefined if
   *   nothing is taken
   */
  async takeReturnable(holder: BudgetHolder, amount: number, deadline: Deadline): Promise<(() => void) | undefined> {
    const { most } = holder
    if (amount > most) return undefined
    const claimed = this.#lease(holder)
    const claim = claimed?.has(amount) === false ? claimed.claim : undefined
    if (claim !== undefined) await deadline.wait(() => claim, storeOverdue)
    // the hour may have turned
    const lease = this.#lease(holder)
    const taken = lease?.split(amount) ?? 0
    let isGiven = taken === amount
    try {
      if (!isGiven) {
        const account = this.#account(holder)
        const missing = amount - taken
        const used = await deadline.wait(() => this.#source.reserve(account, missing, most, deadline), storeOverdue)
        lease?.learn(missing, used)
        isGiven = used !== undefined
      }
      return isGiven ? () => lease?.add(amount) : undefined
    } finally {
      lease?.endSplit(taken, isGiven)
    }
  }

  /** The sum in the table counts an answer that was lost, or comes after the deadline. The lease does not: it errs to giving less. */
  async #claim(lease: BudgetLease, amount: number, deadline: Deadline): Promise<void> {
    const { account, most } = lease
    try {
      const used = await deadline.wait(() => this.#source.reserve(account, amount, most, deadline), storeOverdue)
      lease.learn(amount, used)
      if (used !== undefined) lease.add(amount)
    } catch {
      // a request that lacks the values tries its exact amount, and reports the failure
    } finally {
      lease.claim = undefined
    }
  }

  #account(holder: BudgetHolder): BudgetAccount & { readonly kind: 'VALUES' | 'DAY' } {
    const { tenant } = holder
    const hour = hourNumber(this.#clocks.now())
    return 'client' in holder
      ? { tenant, client: holder.client, hour: dayOf(hour), kind: 'DAY' }
      : { tenant, user: holder.user, hour, kind: 'VALUES' }
  }

  /** The lease of this period; undefined if the process has its maximum number of leases. */
  #lease(holder: BudgetHolder): BudgetLease | undefined {
    const account = this.#account(holder)
    const leases = this.#leases[account.kind]
    for (const [key, lease] of leases) {
      if (!lease.isOver) break
      leases.delete(key)
    }
    const { most } = holder
    // A user with two roles has two limits. Values that were counted under the higher one are not given under the lower one.
    const key = JSON.stringify([account.tenant, 'client' in account ? account.client : account.user, account.hour, most])
    const known = leases.get(key)
    if (known?.isOver === false) return known
    leases.delete(key)
    if (leases.size >= this.#max) return undefined
    const lease = new BudgetLease(account, most, this.#clocks)
    leases.set(key, lease)
    return lease
  }
}
