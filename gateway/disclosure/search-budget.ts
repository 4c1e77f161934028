import type { PurposeOfUse } from '../../directives/policy.ts'
import type { OutcomeReason } from '../model/access-record.ts'
import { hourNumber } from '../model/budget.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { storeOverdue } from '../model/failures.ts'
import type { Instant } from '../model/ids.ts'
import type { EventSink } from '../telemetry/events.ts'
import type { BudgetSource } from './budget-source.ts'
import type { Reserved } from './phi-budget.ts'

interface SearchBudgetParts {
  readonly caller: Pick<Caller, 'tenant' | 'user' | 'purpose'>
  readonly now: Instant
  readonly deadline: Deadline
  /** Without it nothing is counted. */
  readonly source?: BudgetSource
  /** Values that a user of this kind may search by within an hour. */
  readonly most: number
  readonly events: EventSink
  /** Classifies a failure and reports it. @throws the failure itself if it is none of a service */
  readonly reasonOf: (failure: unknown) => OutcomeReason
}

/** The share of the time for reading that one charge may take. */
const SHARE = 0.5
/** An emergency continues without a count. Treatment does not: whoever makes the table fail could guess without end. */
const EMERGENCY: ReadonlySet<PurposeOfUse> = new Set(['ETREAT', 'BTG'])

/** Charges searched values to the hour of the user, so that a guess has a price whether or not it finds a patient. */
export class SearchBudget {
  readonly #parts: SearchBudgetParts
  #spent = false

  constructor(parts: SearchBudgetParts) {
    this.#parts = parts
  }

  /** Whether this request exceeded the budget. Then nothing of its answer may leave. */
  get spent(): boolean {
    return this.#spent
  }

  /** Called before anything is looked up. */
  async charge(values: number): Promise<Reserved> {
    const { caller, now, deadline, source, most, events, reasonOf } = this.#parts
    if (this.#spent) return 'SPENT'
    if (source === undefined) return 'RESERVED'
    const { tenant, user, purpose } = caller
    const share = deadline.share(SHARE)
    const account = { tenant, user, hour: hourNumber(now), kind: 'SEARCHES' } as const
    try {
      const sum = values > most ? undefined : await share.wait(() => source.reserve(account, values, most, share), storeOverdue)
      if (sum !== undefined) return 'RESERVED'
    } catch (error) {
      reasonOf(error)
      return EMERGENCY.has(purpose) ? 'RESERVED' : 'UNKNOWN'
    }
    this.#spent = true
    events({ event: 'BUDGET_EXCEEDED', tenant, budget: 'SEARCHES', count: 1 })
    return 'SPENT'
  }
}
