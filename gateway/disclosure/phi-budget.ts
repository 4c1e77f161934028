import type { BudgetName } from '../model/limit-details.ts'
import type { PurposeOfUse } from '../../directives/policy.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import type { BudgetClient, BudgetHolder, BudgetLeases, BudgetUser } from './budget-leases.ts'

/** UNKNOWN: a count cannot be read, and the values can wait. */
export type Reserved = 'RESERVED' | 'SPENT' | 'UNKNOWN'

/** A reservation that began in parallel with a read. */
export interface Reservation {
  /** Called once, after the decisions and before any value is opened. */
  settle(amount: number): Promise<Reserved>
  /** Ends the reservation if a fault prevented `settle`. May be called at any time, and repeatedly. */
  end(): void
}

interface BudgetParts {
  readonly caller: Pick<Caller, 'tenant' | 'user' | 'purpose' | 'contract'>
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

type Taken = { readonly kind: 'TAKEN'; readonly giveBack: () => void } | { readonly kind: 'SPENT' | 'UNKNOWN' }

/**
 * Reserves the values of one request within the hourly budget of its user. If the client has a contract, also within the daily budget of
 * the client. Both are asked at the same time, so that the second costs no further round trip.
 */
export class PhiBudget {
  readonly #parts: BudgetParts
  readonly #user: BudgetUser
  /** The client with its contract. Undefined if the caller has no contract. */
  readonly #client: BudgetClient | undefined
  #exceeded: Extract<BudgetName, 'VALUES' | 'DAY'> | undefined
  readonly #taken: (() => void)[] = []

  constructor(parts: BudgetParts) {
    const { tenant, user, contract } = parts.caller
    this.#parts = parts
    this.#user = { tenant, user, most: parts.most }
    this.#client = contract && { tenant, client: contract.client, most: contract.valuesPerDay }
  }

  /** The budget that this request exceeded. Then nothing of its answer may leave. */
  get exceeded(): 'VALUES' | 'DAY' | undefined {
    return this.#exceeded
  }

  /**
   * Called before records are read, so that a round trip to the counts runs in parallel with the read.
   *
   * @param atMost the number of values if each decision is a grant
   */
  begin(atMost: number): Reservation {
    const { deadline, leases } = this.#parts
    const isFree = this.#exceeded !== undefined || atMost === 0 || leases === undefined
    const running = isFree ? [] : this.#holders().map((holder) => leases.begin(holder, atMost, deadline.share(SHARE)))
    const end = (): void => {
      for (const one of running.splice(0)) one()
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
    const { leases } = this.#parts
    if (this.#exceeded !== undefined) return 'SPENT'
    if (amount === 0 || leases === undefined) return 'RESERVED'
    const [ofUser, ofClient] = await Promise.all([
      this.#take(leases, this.#user, amount),
      this.#client === undefined ? UNCOUNTED : this.#take(leases, this.#client, amount),
    ])
    // a smaller amount of the same request may fit, and cannot undo the refusal. The day ends later than the hour, so it is named first
    if (ofClient.kind === 'SPENT') this.#exceeded = 'DAY'
    else if (ofUser.kind === 'SPENT') this.#exceeded ??= 'VALUES'
    const givingBack = [ofUser, ofClient].flatMap((taken) => (taken.kind === 'TAKEN' ? [taken.giveBack] : []))
    if (ofUser.kind === 'TAKEN' && ofClient.kind === 'TAKEN') this.#taken.push(...givingBack)
    else for (const giveBack of givingBack) giveBack()
    if (this.exceeded !== undefined) return 'SPENT'
    return ofUser.kind === 'UNKNOWN' || ofClient.kind === 'UNKNOWN' ? 'UNKNOWN' : 'RESERVED'
  }

  /**
   * Returns the values that the request took, because nothing of its answer leaves. The number of waves before the refusal can depend on
   * closed records, and must not show in the budget (P5).
   */
  giveBack(): void {
    for (const giveBack of this.#taken.splice(0)) giveBack()
  }

  #holders(): BudgetHolder[] {
    return this.#client === undefined ? [this.#user] : [this.#user, this.#client]
  }

  async #take(leases: BudgetLeases, holder: BudgetHolder, amount: number): Promise<Taken> {
    const { caller, deadline, reasonOf } = this.#parts
    try {
      const giveBack = await leases.takeReturnable(holder, amount, deadline.share(SHARE))
      return giveBack === undefined ? { kind: 'SPENT' } : { kind: 'TAKEN', giveBack }
    } catch (error) {
      reasonOf(error)
      // the recipient of a contract gives no care that could not wait
      return CARE.has(caller.purpose) && holder === this.#user ? UNCOUNTED : { kind: 'UNKNOWN' }
    }
  }
}

const UNCOUNTED: Taken = { kind: 'TAKEN', giveBack: () => undefined }
