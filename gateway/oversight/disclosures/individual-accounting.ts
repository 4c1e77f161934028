import type { Accounting, AccountingEntry, ResearchProtocol } from './accounting.ts'
import type { DisclosureRecipient } from './ledger-entry.ts'
import { frequencyOf } from '../../model/accounting/repeated.ts'

/** An entry as the individual receives it. Times are milliseconds since the epoch. */
export interface IndividualEntry {
  readonly at: number
  readonly recipient: DisclosureRecipient
  readonly description: string
  readonly purpose: string
  readonly statement?: string
  /** The summary of further disclosures to the recipient for this purpose: in words, and the last one. */
  readonly repeated?: { readonly frequency: string; readonly count: number; readonly last: number }
}

/** An accounting as the individual receives it. It says nothing of exclusions and suspensions. */
export interface IndividualAccounting {
  readonly patient: string
  readonly from: number
  readonly to: number
  readonly at: number
  readonly entries: readonly IndividualEntry[]
  readonly protocols: readonly ResearchProtocol[]
}

/** Says that no name is on file, instead of the id of a client, which nobody knows. */
const UNKNOWN_RECIPIENT = 'Name and address are not on file. System of the recipient: '

/** The form of an accounting for the individual. @source 45 CFR 164.528(b) */
export const forIndividual = ({ patient, from, to, at, entries, protocols }: Accounting): IndividualAccounting => ({
  patient,
  from,
  to,
  at,
  entries: entries.map(individualEntry),
  protocols,
})

/** The recipient as the individual sees it. */
export const recipientForIndividual = ({
  recipient,
  isRecipientKnown,
}: Pick<AccountingEntry, 'recipient' | 'isRecipientKnown'>): DisclosureRecipient =>
  isRecipientKnown ? recipient : { name: `${UNKNOWN_RECIPIENT}${recipient.name}` }

function individualEntry(entry: AccountingEntry): IndividualEntry {
  const { at, description, purpose, statement, repeated } = entry
  return {
    at,
    recipient: recipientForIndividual(entry),
    description,
    purpose,
    ...(statement !== undefined && { statement }),
    ...(repeated !== undefined && { repeated: { ...repeated, frequency: frequencyOf(at, repeated) } }),
  }
}
