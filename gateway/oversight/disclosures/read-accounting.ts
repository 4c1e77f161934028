import type { PolicyTable } from '../../../directives/policy.ts'
import type { Deadline } from '../../model/deadline.ts'
import { FilterTooBroad } from '../../model/failures.ts'
import type { AccessHistory } from '../audit-reader.ts'
import type { AccessPosition } from '../recorded-access.ts'
import { type Accounting, accountingOf } from './accounting.ts'
import type { DisclosureBook } from './disclosure-book.ts'
import type { Ledger } from './ledger.ts'
import { type LoggedGroup, LoggedGroups } from './logged-disclosures.ts'

/** The sources of an accounting. */
export interface AccountingReading {
  readonly reader: { readonly history: AccessHistory; readonly disclosures: DisclosureBook }
  readonly policy: Pick<PolicyTable, 'roles' | 'phi'>
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly deadline: Deadline
}

/** The patient and the span of an accounting: milliseconds since the epoch, both inclusive. */
export interface AccountingSpan {
  readonly patient: string
  readonly from: number
  readonly to: number
}

/** Records of one page of the history. */
const PAGE = 2_000
/** The most records that one accounting reads. A patient with more of them needs several spans. */
const MAX_ACCESSES = 500_000
/** The outcomes that gave information. */
export const GAVE = new Set(['DISCLOSED', 'MASKED'] as const)

/**
 * Computes the accounting of a patient from the log and the ledger. Nothing is written.
 *
 * @param ledger if it was read already
 * @throws FilterTooBroad if the span has too many accesses; StoreUnavailable, AuditLogUnavailable
 */
export async function readAccounting(
  { reader, policy, now, deadline }: AccountingReading,
  { patient, from, to }: AccountingSpan,
  ledger?: Ledger,
): Promise<Accounting> {
  const { history, disclosures } = reader
  const [groups, entered, versions] = await Promise.all([
    readGroups(history, { patient, from, to }, deadline),
    ledger ?? disclosures.ledger(patient),
    disclosures.studies(),
  ])
  const digests = new Set(groups.flatMap(({ contract }) => contract ?? []))
  const recipients = await disclosures.recipients([...digests])
  const studies = new Map([...versions].map(([protocol, { facts }]) => [protocol, facts]))
  return accountingOf({ patient, from, to, now, policy, groups, ledger: entered, studies, recipients })
}

async function readGroups(history: AccessHistory, span: AccountingSpan, deadline: Deadline): Promise<readonly LoggedGroup[]> {
  const groups = new LoggedGroups()
  let examined = 0
  let after: AccessPosition | undefined
  do {
    const page = await history.page({ ...span, outcomes: GAVE }, { first: PAGE, ...(after && { after }) }, deadline)
    for (const access of page.accesses) groups.add(access)
    examined += page.accesses.length
    if (examined > MAX_ACCESSES) throw new FilterTooBroad(['from', 'to'])
    after = page.next
  } while (after !== undefined)
  return groups.all()
}
