import type { PolicyTable } from '../../../directives/policy.ts'
import { BASES, type CountedBasis, type Exclusion, exclusionOf, isCounted } from './bases.ts'
import { entryId } from './entry-id.ts'
import { type EnteredDisclosure, holds, inForce, type Ledger, type Suspension } from './ledger.ts'
import type { DisclosureContent, DisclosureRecipient, StudyContact, StudyDisclosures } from './ledger-entry.ts'
import { type Decision, describe, type LoggedGroup, ruleOf } from './logged-disclosures.ts'
import { isNamed, type Repeated, summarized } from './repeated.ts'

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
  const { patient, from, to, now, ledger, studies } = facts
  const exclusions = new Map<Exclusion, number>()
  const decisions = new Map<string, OpenDecision>()
  const logged = facts.groups.flatMap((group): AccountingEntry[] => {
    const rule = ruleOf(group, facts.policy, studies)
    if (rule.decide !== undefined) addDecision(decisions, rule.decide, group)
    if (rule.kind === 'EXCLUDED') {
      exclusions.set(rule.exclusion, (exclusions.get(rule.exclusion) ?? 0) + 1)
      return []
    }
    const entry = loggedEntry(facts, group, rule.basis)
    if (!entry.isRecipientKnown) addDecision(decisions, 'RECIPIENT_UNKNOWN', group)
    return [entry]
  })
  const entered = [...ledger.disclosures.values()].flatMap((disclosure): AccountingEntry[] => {
    const { content } = inForce(disclosure)
    const { at, last = at, basis, count } = content
    if (disclosure.withdrawn !== undefined || at > to || last < from) return []
    const exclusion = exclusionOf(basis, at)
    if (exclusion !== undefined) exclusions.set(exclusion, (exclusions.get(exclusion) ?? 0) + count)
    return exclusion === undefined && isCounted(basis) ? [enteredEntry(patient, disclosure, content, basis)] : []
  })
  const { open, suspended } = suspensionsOf([...logged, ...entered], ledger, now)
  const isInProtocol = ({ basis, protocol }: AccountingEntry): boolean =>
    basis === 'RESEARCH' && protocol !== undefined && isListedAsProtocol(studies.get(protocol))
  const listed = new Set(open.filter(isInProtocol).map(({ protocol }) => protocol))
  const overlaps = (study: StudyDisclosures): boolean => study.from <= to && (study.to ?? Number.POSITIVE_INFINITY) >= from
  const protocols = [...studies.values()].filter(
    (study) => isListedAsProtocol(study) && (listed.has(study.protocol) || (study.mayIncludeAnyone && overlaps(study))),
  )
  return {
    patient,
    from,
    to,
    at: now,
    entries: summarized(open.filter((entry) => !isInProtocol(entry))),
    protocols: protocols.map(protocolOf),
    exclusions: [...exclusions].map(([exclusion, count]) => ({ exclusion, count })),
    suspended,
    decisions: [...decisions.values()],
  }
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
  entries: readonly AccountingEntry[],
  { suspensions }: Ledger,
  now: number,
): { readonly open: readonly AccountingEntry[]; readonly suspended: readonly SuspendedDisclosures[] } {
  const holding = [...suspensions.values()].filter((suspension) => holds(suspension, now))
  const suspensionOf = ({ recipient, source, basis }: AccountingEntry): Suspension | undefined =>
    source === 'LOG' || BASES[basis].isSuspended ? holding.find(({ agency }) => isNamed(recipient.name, agency)) : undefined
  return {
    open: entries.filter((entry) => suspensionOf(entry) === undefined),
    // one that matches nothing is listed too: its name may be misspelled
    suspended: holding.map((suspension) => ({
      suspension,
      entries: entries.filter((entry) => suspensionOf(entry) === suspension),
    })),
  }
}
