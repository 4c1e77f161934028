import type { Deadline } from '../model/deadline.ts'
import type { TenantId, UserId } from '../model/ids.ts'

/** The user and the hour that values are counted for. */
export interface BudgetAccount {
  readonly tenant: TenantId
  readonly user: UserId
  /** Whole hours since the epoch. */
  readonly hour: number
}

/** Counts the values that users receive, across all processes. */
export interface BudgetSource {
  /**
   * Adds an amount atomically if the sum stays within `most`.
   *
   * @returns the sum of the hour with the amount; undefined if it was not added
   * @throws StoreUnavailable
   */
  reserve(account: BudgetAccount, amount: number, most: number, deadline: Deadline): Promise<number | undefined>
}
