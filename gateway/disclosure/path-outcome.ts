import type { OutcomeReason } from '../model/access-record.ts'
import type { Denial, Permit } from '../model/decision.ts'
import type { Json } from '../model/record.ts'
import type { View } from '../../directives/policy.ts'

/** The outcome of one path of one record in this request. Each path has one before any leaf is read. */
export type PathOutcome =
  | { readonly outcome: 'DISCLOSED'; readonly value: Json }
  | { readonly outcome: 'MASKED'; readonly value: Json; readonly view: View }
  | { readonly outcome: 'DENIED'; readonly denial: Denial }
  | { readonly outcome: 'ABSENT' }
  | { readonly outcome: 'ERASED' }
  | { readonly outcome: 'UNAVAILABLE'; readonly reason: OutcomeReason }
  /** An edge that may be followed. Its target is decided separately. */
  | { readonly outcome: 'PERMITTED'; readonly permit: Permit }
