import type { OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { storeOverdue } from '../model/failures.ts'
import type { Instant, TenantId, UserId } from '../model/ids.ts'
import type { PurposeOfUse } from '../../directives/policy.ts'

/** Whose values are counted, and in which hour. */
export interface BudgetAccount {
  readonly tenant: TenantId
  readonly user: UserId
  /** Whole hours since the epoch. */
  readonly hour: number
}

/** Counts what users are given: over all processes, or it is no bound. */
export interface BudgetSource {
  /**
   * Adds an amount in one act, where the sum stays within `most`.
   *
   * @returns whether it was added
   * @throws StoreUnavailable
   */
  reserve(account: BudgetAccount, amount: number, most: number, deadline: Deadline): Promise<boolean>
}

/** UNKNOWN: nobody can say whether something is left, and what is asked for can wait. */
export type Reserved = 'RESERVED' | 'SPENT' | 'UNKNOWN'

interface BudgetParts {
  readonly caller: Pick<Caller, 'tenant' | 'user' | 'purpose'>
  readonly now: Instant
  readonly deadline: Deadline
  /** None: nothing is counted. */
  readonly source?: BudgetSource
  /** Values that a user of this kind may be given within an hour. */
  readonly most: number
  /** What a failure means, told to operators. @throws the failure, where it is none of a service */
  readonly reasonOf: (failure: unknown) => OutcomeReason
}

const HOUR_MS = 3_600_000
/** The part of the time for reading that one reservation has. */
const SHARE = 0.5
/** Care goes on while nobody counts: a patient is harmed by what is kept back, and each value is in the audit all the same. */
const CARE: ReadonlySet<PurposeOfUse> = new Set(['TREAT', 'ETREAT', 'BTG'])

/** What one request may still have opened of its user's hour. */
export class PhiBudget {
  readonly #parts: BudgetParts
  #spent = false

  constructor(parts: BudgetParts) {
    this.#parts = parts
  }

  /** Whether something of this request was beyond the budget. Nothing of it may leave then. */
  get spent(): boolean {
    return this.#spent
  }

  /** Asked when it is decided what is granted, and before any of it is opened. */
  async reserve(amount: number): Promise<Reserved> {
    const { caller, now, deadline, source, most, reasonOf } = this.#parts
    if (this.#spent) return 'SPENT'
    if (amount === 0 || source === undefined) return 'RESERVED'
    const { tenant, user, purpose } = caller
    try {
      const share = deadline.share(SHARE)
      const account = { tenant, user, hour: Math.floor(now / HOUR_MS) }
      this.#spent = !(amount <= most && (await share.wait(() => source.reserve(account, amount, most, share), storeOverdue)))
      return this.#spent ? 'SPENT' : 'RESERVED'
    } catch (error) {
      reasonOf(error)
      return CARE.has(purpose) ? 'RESERVED' : 'UNKNOWN'
    }
  }
}
