import type { PolicyTable } from '../../../directives/policy.ts'
import { BASES, type CountedBasis, type Exclusion, exclusionOf, isCounted } from './bases.ts'
import { entryId } from './entry-id.ts'
import { type EnteredDisclosure, holds, inForce, type Ledger, type Suspension } from './ledger.ts'
import type { DisclosureContent, DisclosureRecipient, StudyContact, StudyDisclosures } from './ledger-entry.ts'
import { type Decision, describe, type LoggedGroup, ruleOf } from './logged-disclosures.ts'
import { isNamed, type Repeated, summarized } from '../../model/accounting/repeated.ts'

/** One entry of an accounting. Times are milliseconds since the epoch. @source 45 CFR 164.528(b)(2) */
export interface AccountingEntry {
  /** The request id of the first access, or the id of the entered disclosure. */
  readonly id: string
  readonly source: 'LOG' | 'ENTERED'
  readonly at: number
  readonly recipient: DisclosureRecipient
  /** False: the recipient is the id of a client, because no contract of that time is on file. */
  readonly isRecipientKnown: boolean
  readonly description: string
  readonly basis: CountedBasis
  /** The purpose in fixed words, with its provision. */
  readonly purpose: string
  /** The purpose as it was entered, or a copy of the request. */
  readonly statement?: string
  readonly protocol?: string
  readonly repeated?: Repeated
}

/** A protocol under which information may have been disclosed. @source 45 CFR 164.528(b)(4)(i) */
export interface ResearchProtocol {
  readonly protocol: string
  readonly description: string
  readonly information: string
  readonly from: number
  readonly to?: number
  readonly sponsor: StudyContact
  readonly researcher: StudyContact
}

/** The disclosures that a suspension leaves out. Only the privacy officer sees them. */
interface SuspendedDisclosures {
  readonly suspension: Suspension
  readonly entries: readonly AccountingEntry[]
}

/** An open decision of a privacy officer, with the number of groups of accesses that wait for it. */
interface OpenDecision {
  readonly decision: Decision | 'RECIPIENT_UNKNOWN'
  readonly protocol?: string
  readonly client?: string
  readonly count: number
}

/** The disclosures of one patient, as the privacy officer sees them. Times are milliseconds since the epoch, both inclusive. */
export interface Accounting {
  readonly patient: string
  readonly from: number
  readonly to: number
  /** When it was computed. */
  readonly at: number
  /** The earliest first. */
  readonly entries: readonly AccountingEntry[]
  readonly protocols: readonly ResearchProtocol[]
  readonly exclusions: readonly { readonly exclusion: Exclusion; readonly count: number }[]
  readonly suspended: readonly SuspendedDisclosures[]
  readonly decisions: readonly OpenDecision[]
}

/** Everything that an accounting is computed from. */
export interface AccountingFacts {
  readonly patient: string
  readonly from: number
  readonly to: number
  readonly now: number
  readonly policy: Pick<PolicyTable, 'roles' | 'phi'>
  readonly groups: readonly LoggedGroup[]
  readonly ledger: Ledger
  /** By protocol. */
  readonly studies: ReadonlyMap<string, StudyDisclosures>
  /** By digest of the contract. */
  readonly recipients: ReadonlyMap<string, DisclosureRecipient>
}

/** From this number of individuals on, the protocols replace the disclosures of a study. @source 45 CFR 164.528(b)(4)(i) */
const PROTOCOL_INDIVIDUALS = 50

/** The disclosures of a patient within a span. @source 45 CFR 164.528(a) and (b) */
export function accountingOf(facts: AccountingFacts): Accounting {
  const { patient, from, to, now, studies } = facts
  const { open, suspended, exclusions, decisions } = accountedEntries(facts)
  const listed = new Set(open.flatMap(({ entry }) => insteadOf(entry, studies) ?? []))
  return {
    patient,
    from,
    to,
    at: now,
    entries: summarized(
      open.flatMap(({ entry }) => (insteadOf(entry, studies) === undefined ? [entry] : [])),
      ({ basis }) => BASES[basis].isSummarized,
    ),
    protocols: protocolsOf(facts, listed).map(({ protocol }) => protocol),
    exclusions: [...exclusions].map(([exclusion, count]) => ({ exclusion, count })),
    suspended,
    decisions,
  }
}

/** An entry, with the accesses that it is made from if the log has it. */
interface AccountedEntry {
  readonly entry: AccountingEntry
  readonly group?: LoggedGroup
}

/** Each disclosure as an entry of its own, before summaries and protocols replace entries. */
interface AccountedEntries {
  /** Without those that a suspension leaves out. */
  readonly open: readonly AccountedEntry[]
  readonly suspended: readonly SuspendedDisclosures[]
  readonly exclusions: ReadonlyMap<Exclusion, number>
  readonly decisions: readonly OpenDecision[]
}

export function accountedEntries(facts: AccountingFacts): AccountedEntries {
  const { patient, from, to, now, ledger, studies } = facts
  const exclusions = new Map<Exclusion, number>()
  const decisions = new Map<string, OpenDecision>()
  const logged = facts.groups.flatMap((group): AccountedEntry[] => {
    const rule = ruleOf(group, facts.policy, studies)
    if (rule.decide !== undefined) addDecision(decisions, rule.decide, group)
    if (rule.kind === 'EXCLUDED') {
      exclusions.set(rule.exclusion, (exclusions.get(rule.exclusion) ?? 0) + 1)
      return []
    }
    const entry = loggedEntry(facts, group, rule.basis)
    if (!entry.isRecipientKnown) addDecision(decisions, 'RECIPIENT_UNKNOWN', group)
    return [{ entry, group }]
  })
  const entered = [...ledger.disclosures.values()].flatMap((disclosure): AccountedEntry[] => {
    const { content } = inForce(disclosure)
    const { at, last = at, basis, count } = content
    if (disclosure.withdrawn !== undefined || at > to || last < from) return []
    const exclusion = exclusionOf(basis, at)
    if (exclusion !== undefined) exclusions.set(exclusion, (exclusions.get(exclusion) ?? 0) + count)
    return exclusion === undefined && isCounted(basis) ? [{ entry: enteredEntry(patient, disclosure, content, basis) }] : []
  })
  return { ...suspensionsOf([...logged, ...entered], ledger, now), exclusions, decisions: [...decisions.values()] }
}

/** The protocol that an accounting lists instead of an entry; undefined for an entry that it lists. @source 45 CFR 164.528(b)(4) */
export const insteadOf = (
  { basis, protocol }: AccountingEntry,
  studies: ReadonlyMap<string, StudyDisclosures>,
): string | undefined =>
  basis === 'RESEARCH' && protocol !== undefined && isListedAsProtocol(studies.get(protocol)) ? protocol : undefined

/**
 * The protocols of an accounting.
 *
 * @param listed the protocols that replace entries of the patient
 * @returns `isForAnyone`: every patient's accounting of this time has it
 */
export function protocolsOf(
  { from, to, studies }: Pick<AccountingFacts, 'from' | 'to' | 'studies'>,
  listed: ReadonlySet<string>,
): readonly { readonly protocol: ResearchProtocol; readonly isForAnyone: boolean }[] {
  return [...studies.values()].filter(isListedAsProtocol).flatMap((study) => {
    const isForAnyone = study.mayIncludeAnyone && study.from <= to && (study.to ?? Number.POSITIVE_INFINITY) >= from
    return isForAnyone || listed.has(study.protocol) ? [{ protocol: protocolOf(study), isForAnyone }] : []
  })
}

const isListedAsProtocol = (study: StudyDisclosures | undefined): boolean =>
  study?.standing === 'OTHER_ENTITY' && study.individuals >= PROTOCOL_INDIVIDUALS

const protocolOf = ({ protocol, description, information, from, to, sponsor, researcher }: StudyDisclosures): ResearchProtocol => ({
  protocol,
  description,
  information,
  from,
  ...(to !== undefined && { to }),
  sponsor,
  researcher,
})

function addDecision(decisions: Map<string, OpenDecision>, decision: OpenDecision['decision'], group: LoggedGroup): void {
  const { study: protocol, client } = group
  const key = JSON.stringify([decision, protocol, client])
  decisions.set(key, {
    decision,
    ...(protocol !== undefined && { protocol }),
    ...(client !== undefined && { client }),
    count: (decisions.get(key)?.count ?? 0) + 1,
  })
}

function loggedEntry(
  { policy, studies, recipients }: AccountingFacts,
  { requestId, at, user, client, contract, purpose, study: protocol, paths }: LoggedGroup,
  basis: CountedBasis,
): AccountingEntry {
  const researcher = protocol === undefined ? undefined : studies.get(protocol)?.researcher
  const known =
    (contract === undefined ? undefined : recipients.get(contract)) ??
    (researcher === undefined ? undefined : { name: researcher.name, address: researcher.address })
  const { words, citation } = BASES[basis]
  const stated = basis === 'OTHER' ? `Purpose of use ${purpose}, as the recipient stated it` : words
  return {
    id: requestId,
    source: 'LOG',
    at,
    recipient: known ?? { name: client ?? user },
    isRecipientKnown: known !== undefined,
    description: describe(paths, policy),
    basis,
    purpose: `${stated}${protocol === undefined ? '' : `, protocol ${protocol}`} (${citation})`,
    ...(protocol !== undefined && { protocol }),
  }
}

function enteredEntry(
  patient: string,
  { number }: EnteredDisclosure,
  { at, last, count, recipient, description, purpose, requestCopy, protocol }: DisclosureContent,
  basis: CountedBasis,
): AccountingEntry {
  const { words, citation } = BASES[basis]
  const statement = requestCopy ?? purpose
  return {
    id: entryId({ patient, number }),
    source: 'ENTERED',
    at,
    recipient,
    isRecipientKnown: true,
    description,
    basis,
    purpose: `${words}${protocol === undefined ? '' : `, protocol ${protocol}`} (${citation})`,
    ...(statement !== undefined && { statement }),
    ...(protocol !== undefined && { protocol }),
    ...(last !== undefined && { repeated: { count, last } }),
  }
}

/**
 * Takes out the disclosures to agencies that suspended the accounting: those for oversight and law enforcement that were entered, and
 * those that a client of the agency received.
 *
 * @source 45 CFR 164.528(a)(2)
 */
function suspensionsOf(
  entries: readonly AccountedEntry[],
  { suspensions }: Ledger,
  now: number,
): Pick<AccountedEntries, 'open' | 'suspended'> {
  const holding = [...suspensions.values()].filter((suspension) => holds(suspension, now))
  const suspensionOf = ({ entry: { recipient, source, basis } }: AccountedEntry): Suspension | undefined =>
    source === 'LOG' || BASES[basis].isSuspended ? holding.find(({ agency }) => isNamed(recipient.name, agency)) : undefined
  return {
    open: entries.filter((entry) => suspensionOf(entry) === undefined),
    // one that matches nothing is listed too: its name may be misspelled
    suspended: holding.map((suspension) => ({
      suspension,
      entries: entries.filter((entry) => suspensionOf(entry) === suspension).map(({ entry }) => entry),
    })),
  }
}
