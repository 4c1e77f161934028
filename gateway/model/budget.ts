import type { TenantId, UserId } from './ids.ts'

export const HOUR_MS = 3_600_000

/** Whole hours since the epoch. @param at milliseconds since the epoch */
export const hourNumber = (at: number): number => Math.floor(at / HOUR_MS)

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
