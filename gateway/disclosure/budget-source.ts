import type { BudgetAccount, Refusals, UserAccount } from '../model/budget.ts'
import type { Deadline } from '../model/deadline.ts'

/** Counts the values that users and clients receive, the values that they search by, and their refusals, across all processes. */
export interface BudgetSource {
  /**
   * Adds an amount atomically if the sum stays within `most`.
   *
   * @returns the sum of the period with the amount; undefined if it was not added
   * @throws StoreUnavailable
   */
  reserve(account: BudgetAccount, amount: number, most: number, deadline: Deadline): Promise<number | undefined>
  /**
   * Adds refusals, whatever the sum.
   *
   * @returns the sums of the hour with them
   * @throws StoreUnavailable
   */
  addRefusals(account: UserAccount, refusals: Refusals, deadline: Deadline): Promise<Refusals>
}
