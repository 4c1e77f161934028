import type { TenantId, UserId } from './ids.ts'

export const HOUR_MS = 3_600_000
const HOURS_IN_DAY = 24

/** Whole hours since the epoch. @param at milliseconds since the epoch */
export const hourNumber = (at: number): number => Math.floor(at / HOUR_MS)

/** The first hour of the UTC day of an hour. */
export const dayOf = (hour: number): number => hour - (hour % HOURS_IN_DAY)

interface Period {
  readonly tenant: TenantId
  /** The first hour of the period, in whole hours since the epoch. */
  readonly hour: number
}

/** The user, the hour and the kind of things that are counted. */
export interface UserAccount extends Period {
  readonly user: UserId
  readonly kind: 'VALUES' | 'SEARCHES' | 'REFUSALS'
}

/** A client with a contract, and the UTC day. It counts the values that all users and processes of the client receive. */
export interface ClientAccount extends Period {
  readonly client: string
  readonly kind: 'DAY'
}

export type BudgetAccount = UserAccount | ClientAccount

/** The hour after the period, in whole hours since the epoch. */
export const hourAfter = ({ hour, kind }: Pick<BudgetAccount, 'hour' | 'kind'>): number =>
  hour + (kind === 'DAY' ? HOURS_IN_DAY : 1)

/** Refusals that a caller was shown. */
export interface Refusals {
  /** Denied values and edges. */
  readonly values: number
  /** Ids that were not found, or that the caller may not know of. */
  readonly ids: number
}
