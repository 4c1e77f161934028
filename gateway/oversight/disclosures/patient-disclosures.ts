import type { PolicyTable } from '../../../directives/policy.ts'
import { type LogPosition, MAX_ANSWER_BYTES } from '../../audit/patient-accesses.ts'
import type {
  DisclosedValue,
  DisclosureTerms,
  EnteredAnswer,
  PatientDisclosuresAnswer,
  PatientDisclosuresQuestion,
} from '../../audit/patient-disclosures.ts'
import type { Deadline } from '../../model/deadline.ts'
import { FilterTooBroad, storeOverdue, StoreUnavailable } from '../../model/failures.ts'
import type { AuditReader } from '../audit-reader.ts'
import type { RecordedAccess } from '../recorded-access.ts'
import { accountedEntries, type AccountingEntry, insteadOf, protocolsOf } from './accounting.ts'
import { BASES } from './bases.ts'
import { recipientForIndividual } from './individual-accounting.ts'
import type { Ledger } from './ledger.ts'
import type { StudyDisclosures } from './ledger-entry.ts'
import { groupKey, groupKeyOf, LoggedGroups, ruleOf } from './logged-disclosures.ts'
import { GAVE } from './read-accounting.ts'

/** Records of one page of the history. */
const PAGE = 2_000
/** Pages of the history, examined records and disclosed values that one answer may take: 1 to 2 MB. */
const MAX_PAGES = 20
const MAX_EXAMINED = 40_000
const MAX_VALUES = 8_000

interface Sources {
  /** Of the tenant that the question names. */
  readonly reader: Pick<AuditReader, 'history' | 'tenant' | 'disclosures'>
  readonly policy: Pick<PolicyTable, 'roles' | 'phi'>
  /** Milliseconds since the epoch. */
  readonly now: number
}

type Disclosures = Extract<PatientDisclosuresAnswer, { readonly kind: 'PATIENT_DISCLOSURES' }>

/**
 * The disclosures of one patient's information that an accounting for the individual can have, with the values of each. Exclusions and
 * suspended disclosures are not in it, nor a hint that there are any.
 *
 * @throws FilterTooBroad if the answer is too long; StoreUnavailable, AuditLogUnavailable
 */
export async function patientDisclosures(
  { reader, policy, now }: Sources,
  question: PatientDisclosuresQuestion,
  deadline: Deadline,
): Promise<Disclosures> {
  const { tenant, patient, from, to, entered } = question
  if (tenant !== reader.tenant) throw new StoreUnavailable()
  const { disclosures } = reader
  const read = async () => await Promise.all([disclosures.ledger(patient), disclosures.studies()])
  const [ledger, versions] = await deadline.wait(read, storeOverdue)
  const studies = new Map([...versions].map(([protocol, { facts }]) => [protocol, facts]))
  const { groups, values, next } = await readDisclosed({ reader, policy }, question, studies, deadline)
  const digests = new Set(groups.flatMap(({ contract }) => contract ?? []))
  const recipients = await deadline.wait(() => disclosures.recipients([...digests]), storeOverdue)
  const facts = { patient, from, to, now, policy, groups, studies, recipients, ledger: entered ? ledger : withoutEntered(ledger) }
  const { open } = accountedEntries(facts)
  const listed = new Set(open.flatMap(({ entry }) => insteadOf(entry, studies) ?? []))
  const terms = new Map<string, { readonly place: number; readonly terms: DisclosureTerms }>()
  const placeOf = (entry: AccountingEntry): number => {
    const of = termsOf(entry, studies)
    const key = JSON.stringify(of)
    const known = terms.get(key) ?? { place: terms.size, terms: of }
    terms.set(key, known)
    return known.place
  }
  const answer: Disclosures = {
    kind: 'PATIENT_DISCLOSURES',
    tenant,
    patient,
    disclosures: open.flatMap(({ entry, group }) =>
      group === undefined
        ? []
        : [{ key: groupKeyOf(group), terms: placeOf(entry), values: [...(values.get(groupKeyOf(group)) ?? [])] }],
    ),
    entered: open.flatMap(({ entry, group }) => (group === undefined ? [enteredAnswer(entry, studies)] : [])),
    terms: [...terms.values()].map((one) => one.terms),
    protocols: protocolsOf(facts, listed).filter(
      ({ protocol, isForAnyone }) => listed.has(protocol.protocol) || (entered && isForAnyone),
    ),
    ...(next !== undefined && { next }),
  }
  if (Buffer.byteLength(JSON.stringify(answer)) > MAX_ANSWER_BYTES - 1_000) throw new FilterTooBroad(['from', 'to'])
  return answer
}

/** Suspensions stay: they close disclosures of the log too. */
const withoutEntered = (ledger: Ledger): Ledger => ({ ...ledger, disclosures: new Map() })

function termsOf(entry: AccountingEntry, studies: ReadonlyMap<string, StudyDisclosures>): DisclosureTerms {
  const protocol = insteadOf(entry, studies)
  return {
    recipient: recipientForIndividual(entry),
    purpose: entry.purpose,
    isSummarized: BASES[entry.basis].isSummarized,
    ...(protocol !== undefined && { insteadOf: protocol }),
  }
}

function enteredAnswer(entry: AccountingEntry, studies: ReadonlyMap<string, StudyDisclosures>): EnteredAnswer {
  const { at, description, statement, repeated } = entry
  return {
    ...termsOf(entry, studies),
    at,
    description,
    ...(statement !== undefined && { statement }),
    ...(repeated !== undefined && { repeated }),
  }
}

/** Reads the accesses that are disclosures of an accounting. Others are dropped page by page: most of a log is use by the workforce. */
async function readDisclosed(
  { reader: { history }, policy }: Pick<Sources, 'reader' | 'policy'>,
  { patient, from, to, after }: PatientDisclosuresQuestion,
  studies: ReadonlyMap<string, StudyDisclosures>,
  deadline: Deadline,
) {
  const groups = new LoggedGroups()
  const values = new Map<string, DisclosedValue[]>()
  let next: LogPosition | undefined = after
  let [examined, kept] = [0, 0]
  for (let pages = 0; pages < MAX_PAGES && examined < MAX_EXAMINED && kept < MAX_VALUES; pages++) {
    const request = { first: PAGE, ...(next !== undefined && { after: next }) }
    const page = await history.page({ patient, from, to, outcomes: GAVE }, request, deadline)
    for (const access of disclosedOf(page.accesses, policy, studies)) {
      if (access.patient !== patient) throw new StoreUnavailable()
      groups.add(access)
      const key = groupKey(access)
      const known = values.get(key)
      if (known === undefined) values.set(key, [valueOf(access)])
      else known.push(valueOf(access))
      kept++
    }
    examined += page.examined
    next = page.next
    if (next === undefined) break
  }
  return { groups: groups.all(), values, next }
}

/** The accesses that an accounting counts. The members of an access that decide are those of its whole group. */
function disclosedOf(
  accesses: readonly RecordedAccess[],
  policy: Sources['policy'],
  studies: ReadonlyMap<string, StudyDisclosures>,
): readonly RecordedAccess[] {
  const groups = new LoggedGroups()
  for (const access of accesses) groups.add(access)
  const counted = new Set(
    groups.all().flatMap((group) => (ruleOf(group, policy, studies).kind === 'COUNTED' ? [groupKeyOf(group)] : [])),
  )
  return accesses.filter((access) => counted.has(groupKey(access)))
}

function valueOf({ time, recordType, recordId, path, paths }: RecordedAccess): DisclosedValue {
  return {
    at: Date.parse(time),
    ...(recordType !== undefined && { recordType }),
    ...(recordId !== undefined && { recordId }),
    path,
    ...(paths !== undefined && { paths: [...paths] }),
  }
}
