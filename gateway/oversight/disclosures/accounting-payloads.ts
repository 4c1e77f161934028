import type { Accounting, AccountingEntry, ResearchProtocol } from './accounting.ts'
import { accountingHtml } from './accounting-html.ts'
import { accountingText } from './accounting-text.ts'
import { CITATIONS } from './bases.ts'
import type { ListedRequest } from './disclosure-book.ts'
import { entryId } from './entry-id.ts'
import { forIndividual, type IndividualAccounting } from './individual-accounting.ts'
import { type EnteredDisclosure, holds, inForce, type RequestState, type Suspension } from './ledger.ts'
import type { StudyDisclosures } from './ledger-entry.ts'
import { frequencyOf } from '../../model/accounting/repeated.ts'

// The types of `schema/audit/accounting.graphql`.

/**
 * Whether the reader may see texts that people entered. They can name the patient and others, so that only those who may enter such
 * texts read them.
 */
export type Texts = 'SHOWN' | 'WITHHELD'

const text = <Value>(texts: Texts, value: Value | undefined): Value | null => (texts === 'SHOWN' ? (value ?? null) : null)
const time = (at: number): string => new Date(at).toISOString()
const timeIf = (at: number | undefined): string | null => (at === undefined ? null : time(at))

export function accountingPayload(accounting: Accounting, texts: Texts): object {
  const { patient, from, to, at, entries, protocols, exclusions, suspended, decisions } = accounting
  return {
    patientId: patient,
    from: time(from),
    to: time(to),
    at: time(at),
    entries: entries.map((entry) => entryPayload(entry, texts)),
    protocols: protocols.map(protocolPayload),
    exclusions: exclusions.map((one) => ({ ...one, citation: CITATIONS[one.exclusion] })),
    suspended: suspended.map(({ suspension, entries: left }) => ({
      suspension: suspensionPayload(patient, suspension, at, texts),
      entries: left.map((entry) => entryPayload(entry, texts)),
    })),
    decisions: decisions.map(({ client, ...same }) => ({ ...same, clientId: client })),
    // made only if they are selected
    text: () => text(texts, accountingText(forIndividual(accounting))),
    html: () => text(texts, accountingHtml(forIndividual(accounting))),
  }
}

function entryPayload(entry: AccountingEntry, texts: Texts): object {
  const { at, source, description, statement, repeated, ...same } = entry
  return {
    ...same,
    at: time(at),
    source,
    description: source === 'LOG' ? description : text(texts, description),
    statement: text(texts, statement),
    repeated: repeated && { count: repeated.count, last: time(repeated.last), frequency: frequencyOf(at, repeated) },
  }
}

const protocolPayload = ({ from, to, ...same }: ResearchProtocol): object => ({ ...same, from: time(from), to: timeIf(to) })

export function disclosurePayload(patient: string, disclosure: EnteredDisclosure, texts: Texts): object {
  const { number, versions, withdrawn } = disclosure
  return {
    id: entryId({ patient, number }),
    patientId: patient,
    current: versionPayload(inForce(disclosure), texts),
    former: versions.slice(0, -1).map((version) => versionPayload(version, texts)),
    withdrawn: withdrawn && actPayload(withdrawn, texts),
  }
}

function versionPayload({ content, at, by, reason }: EnteredDisclosure['versions'][number], texts: Texts): object {
  const { at: date, last, description, purpose, requestCopy, ...same } = content
  return {
    ...same,
    date: time(date),
    lastDate: timeIf(last),
    description: text(texts, description),
    purpose: text(texts, purpose),
    requestCopy: text(texts, requestCopy),
    enteredAt: time(at),
    enteredBy: by,
    reason: text(texts, reason),
  }
}

const actPayload = ({ at, by, reason }: { readonly at: number; readonly by: string; readonly reason: string }, texts: Texts) => ({
  at: time(at),
  by,
  reason: text(texts, reason),
})

export function suspensionPayload(patient: string, suspension: Suspension, now: number, texts: Texts): object {
  const { number, at, by, agency, statement, identity, statedAt, until, ended } = suspension
  return {
    id: entryId({ patient, number }),
    patientId: patient,
    agency,
    statement,
    identity: text(texts, identity),
    statedAt: time(statedAt),
    until: time(until),
    isHolding: holds(suspension, now),
    enteredAt: time(at),
    enteredBy: by,
    ended: ended && actPayload(ended, texts),
  }
}

export function requestPayload(request: ListedRequest, state: RequestState): object {
  const { id, patient, from, to, received, due, free, extended, givenAt, givenBy } = request
  return {
    id,
    patientId: patient,
    from: time(from),
    to: time(to),
    received,
    due,
    state,
    isFree: free,
    isExtended: extended,
    mayExtend: !extended && state === 'OPEN',
    givenAt: timeIf(givenAt),
    givenBy: givenBy ?? null,
  }
}

/** An accounting as it was given: exactly what was stored. */
export const givenPayload = (
  request: object,
  { accounting, html }: { readonly accounting: IndividualAccounting; readonly html: string },
): object => ({
  request,
  entries: accounting.entries.map(({ at, repeated, ...same }) => ({
    ...same,
    at: time(at),
    repeated: repeated && { ...repeated, last: time(repeated.last) },
  })),
  protocols: accounting.protocols.map(protocolPayload),
  text: () => accountingText(accounting),
  html,
})

export const studyPayload = ({ from, to, at, by, ...same }: StudyDisclosures): object => ({
  ...same,
  from: time(from),
  to: timeIf(to),
  statedAt: time(at),
  statedBy: by,
})
