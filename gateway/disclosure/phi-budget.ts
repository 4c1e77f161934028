import type { PurposeOfUse } from '../../directives/policy.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import type { BudgetLeases } from './budget-leases.ts'

/** UNKNOWN: the count cannot be read, and the purpose of the request can wait. */
export type Reserved = 'RESERVED' | 'SPENT' | 'UNKNOWN'

/** A reservation that began in parallel with a read. */
export interface Reservation {
  /** Called once, after the decisions and before any value is opened. */
  settle(amount: number): Promise<Reserved>
  /** Ends the reservation if a fault prevented `settle`. May be called at any time, and repeatedly. */
  end(): void
}

interface BudgetParts {
  readonly caller: Pick<Caller, 'tenant' | 'user' | 'purpose'>
  readonly deadline: Deadline
  /** Without them nothing is counted. */
  readonly leases?: BudgetLeases
  /** Values that a user of this kind may be given within an hour. */
  readonly most: number
  /** Classifies a failure and reports it. @throws the failure itself if it is none of a service */
  readonly reasonOf: (failure: unknown) => OutcomeReason
}

/** The share of the time for reading that one reservation may take. */
const SHARE = 0.5
/** Care continues without a count: withheld values can harm a patient, and the audit records each value in any case. */
const CARE: ReadonlySet<PurposeOfUse> = new Set(['TREAT', 'ETREAT', 'BTG'])

/** Reserves the values of one request within the hourly budget of its user. */
export class PhiBudget {
  readonly #parts: BudgetParts
  #spent = false
  readonly #taken: (() => void)[] = []

  constructor(parts: BudgetParts) {
    this.#parts = parts
  }

  /** Whether this request exceeded the budget. Then nothing of its answer may leave. */
  get spent(): boolean {
    return this.#spent
  }

  /**
   * Called before records are read, so that a round trip to the count runs in parallel with the read.
   *
   * @param atMost the number of values if each decision is a grant
   */
  begin(atMost: number): Reservation {
    const { caller, deadline, leases, most } = this.#parts
    const { tenant, user } = caller
    const isFree = this.#spent || atMost === 0
    let running = isFree ? undefined : leases?.begin({ tenant, user, most }, atMost, deadline.share(SHARE))
    const end = (): void => {
      running?.()
      running = undefined
    }
    return {
      settle: (amount) => {
        end()
        return this.reserve(amount)
      },
      end,
    }
  }

  /** Called after the decisions and before any value is opened. */
  async reserve(amount: number): Promise<Reserved> {
    const { caller, deadline, leases, most, reasonOf } = this.#parts
    if (this.#spent) return 'SPENT'
    if (amount === 0 || leases === undefined) return 'RESERVED'
    const { tenant, user, purpose } = caller
    try {
      const giveBack = await leases.takeReturnable({ tenant, user, most }, amount, deadline.share(SHARE))
      // a smaller amount of the same request may fit, and cannot undo the refusal
      if (giveBack === undefined) this.#spent = true
      else this.#taken.push(giveBack)
      return this.spent ? 'SPENT' : 'RESERVED'
    } catch (error) {
      reasonOf(error)
      return CARE.has(purpose) ? 'RESERVED' : 'UNKNOWN'
    }
  }

  /**
   * Returns the values that the request took, because nothing of its answer leaves. The number of waves before the refusal can depend on
   * closed records, and must not show in the budget (P5).
   */
  giveBack(): void {
    for (const giveBack of this.#taken.splice(0)) giveBack()
  }
}
