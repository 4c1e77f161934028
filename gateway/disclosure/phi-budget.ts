import type { OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { storeOverdue } from '../model/failures.ts'
import type { Instant, TenantId, UserId } from '../model/ids.ts'
import type { PurposeOfUse } from '../../directives/policy.ts'

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
   * @returns whether it was added
   * @throws StoreUnavailable
   */
  reserve(account: BudgetAccount, amount: number, most: number, deadline: Deadline): Promise<boolean>
}

/** UNKNOWN: the count cannot be read, and the purpose of the request can wait. */
export type Reserved = 'RESERVED' | 'SPENT' | 'UNKNOWN'

interface BudgetParts {
  readonly caller: Pick<Caller, 'tenant' | 'user' | 'purpose'>
  readonly now: Instant
  readonly deadline: Deadline
  /** Without it nothing is counted. */
  readonly source?: BudgetSource
  /** Values that a user of this kind may be given within an hour. */
  readonly most: number
  /** Classifies a failure and reports it. @throws the failure itself if it is none of a service */
  readonly reasonOf: (failure: unknown) => OutcomeReason
}

const HOUR_MS = 3_600_000
/** The share of the time for reading that one reservation may take. */
const SHARE = 0.5
/** Care continues without a count: withheld values can harm a patient, and the audit records each value in any case. */
const CARE: ReadonlySet<PurposeOfUse> = new Set(['TREAT', 'ETREAT', 'BTG'])

/** Reserves the values of one request within the hourly budget of its user. */
export class PhiBudget {
  readonly #parts: BudgetParts
  #spent = false

  constructor(parts: BudgetParts) {
    this.#parts = parts
  }

  /** Whether this request exceeded the budget. Then nothing of its answer may leave. */
  get spent(): boolean {
    return this.#spent
  }

  /** Called after the decisions and before any value is opened. */
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
