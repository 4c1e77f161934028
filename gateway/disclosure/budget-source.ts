import type { Deadline } from '../model/deadline.ts'
import type { TenantId, UserId } from '../model/ids.ts'

export const HOUR_MS = 3_600_000

/** Whole hours since the epoch. @param at milliseconds since the epoch */
export const hourOf = (at: number): number => Math.floor(at / HOUR_MS)

/** The user, the hour and the kind of things that are counted. */
export interface BudgetAccount {
  readonly tenant: TenantId
  readonly user: UserId
  /** Whole hours since the epoch. */
  readonly hour: number
  readonly kind: 'VALUES' | 'SEARCHES' | 'REFUSALS'
}

/** Refusals that a caller was shown. */
export interface Refusals {
  /** Denied values and edges. */
  readonly values: number
  /** Ids that were not found, or that the caller may not know of. */
  readonly ids: number
}

/** Counts the values that users receive, the values that they search by, and their refusals, across all processes. */
export interface BudgetSource {
  /**
   * Adds an amount atomically if the sum stays within `most`.
   *
   * @returns the sum of the hour with the amount; undefined if it was not added
   * @throws StoreUnavailable
   */
  reserve(account: BudgetAccount, amount: number, most: number, deadline: Deadline): Promise<number | undefined>
  /**
   * Adds refusals, whatever the sum.
   *
   * @returns the sums of the hour with them
   * @throws StoreUnavailable
   */
  addRefusals(account: BudgetAccount, refusals: Refusals, deadline: Deadline): Promise<Refusals>
}
