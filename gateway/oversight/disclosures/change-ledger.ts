import { setTimeout as sleep } from 'node:timers/promises'
import type { TypeName } from '../../../directives/coordinates.ts'
import type { AccessRecord } from '../../model/access-record.ts'
import { VersionConflict } from '../../model/failures.ts'
import type { DisclosureWrite } from '../../store/disclosures.ts'
import type { DisclosureBook, ListedRequest } from './disclosure-book.ts'
import { entryId, UnknownEntry } from './entry-id.ts'
import { type AccountingRequest, type Ledger, withEntry } from './ledger.ts'
import type { LedgerEntry } from './ledger-entry.ts'

/** Writes items and their audit record in one transaction. @throws VersionConflict, AuditUnavailable */
export type Commit = (writes: readonly DisclosureWrite[], record: AccessRecord) => Promise<void>

/** The parts of a change of the accounting. */
export interface LedgerWriting {
  readonly book: DisclosureBook
  readonly commit: Commit
  /** Path and action of the audit record. */
  readonly act: Pick<AccessRecord, 'path' | 'action'>
}

/** The next entry of a ledger, and what is stored with it. */
export interface LedgerChange {
  readonly entry: LedgerEntry
  /** The number of the thing that the entry begins or changes; the entry's own if left out. */
  readonly of?: number
  /** Further writes of the transaction, from the ledger with the entry. */
  readonly also?: (after: Ledger) => readonly DisclosureWrite[]
}

/** The ledger after a change, or as it is if there was nothing to change. */
export interface ChangedLedger {
  readonly ledger: Ledger
  /** The number of the thing that was begun or changed. */
  readonly number: number
  readonly isStored: boolean
}

/** The type of an entry in the audit. */
const ENTRY = 'DisclosureEntry' as TypeName
const MAX_ATTEMPTS = 8
const MAX_PAUSE_MS = 80

/**
 * Adds an entry to the ledger of a patient, in one transaction with its audit record, which has none of its texts. If another writer was
 * faster, the entry is decided again from the ledger as it is then.
 *
 * @param decide returns the number of the thing if there is nothing to change
 * @throws the errors of `decide`; VersionConflict after several attempts; AuditUnavailable: it is unknown whether the entry is stored;
 *   LedgerFull, StoreUnavailable, AuditLogUnavailable
 */
export async function changeLedger(
  { book, commit, act }: LedgerWriting,
  patient: string,
  decide: (ledger: Ledger) => LedgerChange | number | Promise<LedgerChange | number>,
): Promise<ChangedLedger> {
  for (let attempt = 1; ; attempt++) {
    const before = await book.ledger(patient)
    const change = await decide(before)
    if (typeof change === 'number') return { ledger: before, number: change, isStored: false }
    const ledger = withEntry(before, change.entry)
    const number = change.of ?? ledger.length
    const record = { ...act, patient, recordType: ENTRY, recordId: entryId({ patient, number }), outcome: 'WRITTEN' } as const
    try {
      await commit([book.add(patient, before, change.entry), ...(change.also?.(ledger) ?? [])], record)
      return { ledger, number, isStored: true }
    } catch (error) {
      if (!(error instanceof VersionConflict) || attempt === MAX_ATTEMPTS) throw error
      await sleep(Math.random() * MAX_PAUSE_MS)
    }
  }
}

/** The thing of a number. @throws UnknownEntry */
export function found<Thing>(things: ReadonlyMap<number, Thing>, number: number): Thing {
  const thing = things.get(number)
  if (thing === undefined) throw new UnknownEntry()
  return thing
}

/** A request as the list of the tenant has it. */
export const listed = (patient: string, request: AccountingRequest): ListedRequest => ({
  id: entryId({ patient, number: request.number }),
  patient,
  from: request.from,
  to: request.to,
  received: request.received,
  due: request.due,
  free: request.free,
  extended: request.extension !== undefined,
  withdrawn: request.withdrawn !== undefined,
  ...(request.given !== undefined && { givenAt: request.given.at, givenBy: request.given.by }),
})
