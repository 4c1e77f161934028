import { dueOn, endOfDay, extendedDueOn } from '../../model/accounting/calendar.ts'
import type { DisclosureContent, LedgerEntry } from './ledger-entry.ts'

/** A version of a disclosure that was entered. */
export interface DisclosureVersion {
  readonly content: DisclosureContent
  readonly at: number
  readonly by: string
  /** Why it replaced the version before. */
  readonly reason?: string
}

/** A disclosure that was entered by hand, with all of its versions. */
export interface EnteredDisclosure {
  readonly number: number
  /** The first one first; the last one is in force. */
  readonly versions: readonly [DisclosureVersion, ...DisclosureVersion[]]
  readonly withdrawn?: { readonly at: number; readonly by: string; readonly reason: string }
}

/** A suspension of the accounting for the disclosures to one agency. */
export interface Suspension {
  readonly number: number
  readonly at: number
  readonly by: string
  readonly agency: string
  readonly statement: 'WRITTEN' | 'ORAL'
  readonly identity?: string
  readonly statedAt: number
  /** Inclusive. */
  readonly until: number
  readonly ended?: { readonly at: number; readonly by: string; readonly reason: string }
}

/** A request for an accounting. Days are in UTC. */
export interface AccountingRequest {
  readonly number: number
  readonly at: number
  readonly by: string
  readonly from: number
  readonly to: number
  readonly received: string
  readonly free: boolean
  readonly due: string
  readonly extension?: { readonly at: number; readonly by: string; readonly reason: string }
  readonly withdrawn?: { readonly at: number; readonly by: string; readonly reason: string }
  readonly given?: { readonly at: number; readonly by: string; readonly sha256: string }
}

/** The present state of a patient's ledger. Each map is by the number of the entry that began the thing. */
export interface Ledger {
  /** The number of entries. The next entry has the next number. */
  readonly length: number
  readonly disclosures: ReadonlyMap<number, EnteredDisclosure>
  readonly suspensions: ReadonlyMap<number, Suspension>
  readonly requests: ReadonlyMap<number, AccountingRequest>
}

/** An entry changes something that the ledger does not have: the ledger was altered. */
export class LedgerAltered extends Error {
  override readonly name = 'LedgerAltered'
  constructor() {
    super('An entry of the ledger changes an entry that does not exist.')
  }
}

/** @throws LedgerAltered */
export function ledgerOf(entries: readonly LedgerEntry[]): Ledger {
  const state = { disclosures: new Map(), suspensions: new Map(), requests: new Map() }
  for (const [place, entry] of entries.entries()) apply(state, place + 1, entry)
  return { length: entries.length, ...state }
}

/** The ledger after one more entry. @throws LedgerAltered */
export function withEntry({ length, disclosures, suspensions, requests }: Ledger, entry: LedgerEntry): Ledger {
  const state = { disclosures: new Map(disclosures), suspensions: new Map(suspensions), requests: new Map(requests) }
  apply(state, length + 1, entry)
  return { length: length + 1, ...state }
}

interface LedgerState {
  readonly disclosures: Map<number, EnteredDisclosure>
  readonly suspensions: Map<number, Suspension>
  readonly requests: Map<number, AccountingRequest>
}

function apply({ disclosures, suspensions, requests }: LedgerState, number: number, entry: LedgerEntry): void {
  const { at, by } = entry
  switch (entry.kind) {
    case 'DISCLOSURE':
      disclosures.set(number, { number, versions: [{ content: entry.content, at, by }] })
      break
    case 'CORRECTION': {
      const { content, reason } = entry
      change(disclosures, entry.of, (before) => corrected(before, { content, at, by, reason }))
      break
    }
    case 'WITHDRAWAL':
      change(disclosures, entry.of, (before) => ({ ...before, withdrawn: { at, by, reason: entry.reason } }))
      break
    case 'SUSPENSION': {
      const { agency, statement, identity, statedAt, until } = entry
      suspensions.set(number, { number, at, by, agency, statement, ...(identity !== undefined && { identity }), statedAt, until })
      break
    }
    case 'SUSPENSION_END':
      change(suspensions, entry.of, (before) => ({ ...before, ended: { at, by, reason: entry.reason } }))
      break
    case 'REQUEST': {
      const { from, to, received, free } = entry
      requests.set(number, { number, at, by, from, to, received, free, due: dueOn(received) })
      break
    }
    case 'EXTENSION': {
      const extension = { at, by, reason: entry.reason }
      change(requests, entry.of, (before) => ({ ...before, due: extendedDueOn(before.received), extension }))
      break
    }
    case 'REQUEST_WITHDRAWAL':
      change(requests, entry.of, (before) => ({ ...before, withdrawn: { at, by, reason: entry.reason } }))
      break
    case 'GIVEN':
      change(requests, entry.of, (before) => ({ ...before, given: { at, by, sha256: entry.sha256 } }))
      break
    default:
      entry satisfies never
  }
}

const corrected = (before: EnteredDisclosure, version: DisclosureVersion): EnteredDisclosure => ({
  ...before,
  versions: [...before.versions, version],
})

function change<Value>(map: Map<number, Value>, number: number, changed: (before: Value) => Value): void {
  const before = map.get(number)
  if (before === undefined) throw new LedgerAltered()
  map.set(number, changed(before))
}

/** The version of a disclosure that is in force. */
export const inForce = ({ versions }: EnteredDisclosure): DisclosureVersion => versions.at(-1) ?? versions[0]

/** Whether a suspension holds at a time. */
export const holds = ({ statedAt, until, ended }: Suspension, now: number): boolean =>
  statedAt <= now && now <= until && (ended === undefined || now < ended.at)

export type RequestState = 'OPEN' | 'OVERDUE' | 'GIVEN' | 'WITHDRAWN'

/** The state of a request at a time. */
export function stateOf({ given, withdrawn, due }: AccountingRequest, now: number): RequestState {
  if (given !== undefined) return 'GIVEN'
  if (withdrawn !== undefined) return 'WITHDRAWN'
  return now > endOfDay(due) ? 'OVERDUE' : 'OPEN'
}
