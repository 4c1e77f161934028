import { BadUserInput } from '../../model/failures.ts'
import { accountingHtml } from './accounting-html.ts'
import {
  ACCOUNTED_YEARS,
  dayOf,
  daysAfter,
  dueOn,
  endOfDay,
  isFree,
  ORAL_DAYS,
  yearsBefore,
} from '../../model/accounting/calendar.ts'
import { type ChangedLedger, changeLedger, found, type LedgerWriting, listed } from './change-ledger.ts'
import { disclosureContent, type DisclosureInput } from './disclosure-input.ts'
import { enteredText, enteredTime, optionalText } from './entered-text.ts'
import { entryPlace, patientOf } from './entry-id.ts'
import { forIndividual } from './individual-accounting.ts'
import { holds, type Ledger, stateOf } from './ledger.ts'
import { type AccountingReading, readAccounting } from './read-accounting.ts'

// The acts of a privacy officer. Each is one entry of a patient's ledger. Each throws BadUserInput for an argument that cannot be, and
// UnknownEntry for an id that leads to nothing.

/** The actor and the time. */
export interface Acting extends LedgerWriting {
  readonly now: number
  readonly by: string
}

/** The patient whose ledger an act changed. */
export type Acted = ChangedLedger & { readonly patient: string }

const made = ({ now, by }: Acting) => ({ at: now, by })

/** Enters a disclosure that was made elsewhere. */
export async function recordDisclosure(acting: Acting, patientId: string, input: DisclosureInput): Promise<Acted> {
  const patient = patientOf(patientId)
  const content = disclosureContent(input, acting.now)
  return await act(acting, patient, () => ({ entry: { kind: 'DISCLOSURE', ...made(acting), content } }))
}

/** Replaces what was entered about a disclosure. The former version stays. */
export async function correctDisclosure(acting: Acting, id: string, reason: string, input: DisclosureInput): Promise<Acted> {
  const { patient, number: of } = entryPlace(id)
  const content = disclosureContent(input, acting.now)
  const because = enteredText(reason, 'TEXT')
  return await act(acting, patient, ({ disclosures }) => {
    if (found(disclosures, of).withdrawn !== undefined)
      throw new BadUserInput({ detail: 'The disclosure was withdrawn, and a withdrawn one is not corrected. Enter it again.' })
    return { entry: { kind: 'CORRECTION', ...made(acting), of, reason: because, content }, of }
  })
}

/** Takes a disclosure out of the accountings, because it did not take place. Entries stay. */
export async function withdrawDisclosure(acting: Acting, id: string, reason: string): Promise<Acted> {
  const { patient, number: of } = entryPlace(id)
  const because = enteredText(reason, 'TEXT')
  return await act(acting, patient, ({ disclosures }) => {
    if (found(disclosures, of).withdrawn !== undefined) return of
    return { entry: { kind: 'WITHDRAWAL', ...made(acting), of, reason: because }, of }
  })
}

/** The statement of an agency. */
export interface SuspensionInput {
  readonly agency: string
  readonly statement: 'WRITTEN' | 'ORAL'
  readonly statedAt?: string | null
  readonly until: string
  readonly identity?: string | null
}

/** Suspends the accounting of the disclosures to an agency. @source 45 CFR 164.528(a)(2) */
export async function suspendAccounting(acting: Acting, patientId: string, input: SuspensionInput): Promise<Acted> {
  const patient = patientOf(patientId)
  const { now } = acting
  const { statement } = input
  const agency = enteredText(input.agency, 'NAME')
  const identity = optionalText(input.identity, 'TEXT')
  const statedAt = input.statedAt === null || input.statedAt === undefined ? now : enteredTime(input.statedAt).from
  const until = enteredTime(input.until).end - 1
  if (statedAt > now || until < now) throw new BadUserInput({ detail: '`statedAt` is in the future, or `until` is in the past.' })
  // without a written statement, the identity is documented and the time is limited
  const isOral = statement === 'ORAL'
  if (isOral && (identity === undefined || until > endOfDay(daysAfter(dayOf(statedAt), ORAL_DAYS))))
    throw new BadUserInput({
      detail: `An oral statement requires \`identity\`, and \`until\` is ${ORAL_DAYS} days after \`statedAt\` at most.`,
    })
  const stated = { agency, statement, ...(identity !== undefined && { identity }), statedAt, until }
  return await act(acting, patient, () => ({ entry: { kind: 'SUSPENSION', ...made(acting), ...stated } }))
}

/** Ends a suspension before its time. */
export async function endSuspension(acting: Acting, id: string, reason: string): Promise<Acted> {
  const { patient, number: of } = entryPlace(id)
  const because = enteredText(reason, 'TEXT')
  return await act(acting, patient, ({ suspensions }) => {
    const suspension = found(suspensions, of)
    if (suspension.ended !== undefined || !holds(suspension, acting.now)) return of
    return { entry: { kind: 'SUSPENSION_END', ...made(acting), of, reason: because }, of }
  })
}

/** A request of an individual. */
export interface RequestInput {
  readonly from?: string | null
  readonly to?: string | null
  readonly receivedAt: string
}

/** Enters a request for an accounting, at most six years back from the day of its receipt. */
export async function requestAccounting(acting: Acting, patientId: string, input: RequestInput): Promise<Acted> {
  const patient = patientOf(patientId)
  const { now } = acting
  const receivedAt = enteredTime(input.receivedAt).from
  const received = dayOf(receivedAt)
  const earliest = Date.parse(yearsBefore(received, ACCOUNTED_YEARS))
  const from = input.from === null || input.from === undefined ? earliest : enteredTime(input.from).from
  const end = input.to === null || input.to === undefined ? endOfDay(received) : enteredTime(input.to).end - 1
  const to = Math.min(end, now)
  if (receivedAt > now || received < yearsBefore(dayOf(now), ACCOUNTED_YEARS))
    throw new BadUserInput({ detail: `\`receivedAt\` is in the future, or more than ${ACCOUNTED_YEARS} years ago.` })
  if (from < earliest || from > to)
    throw new BadUserInput({ detail: `\`from\` is after \`to\`, or more than ${ACCOUNTED_YEARS} years before \`receivedAt\`.` })
  return await act(acting, patient, ({ requests }) => {
    const free = [...requests.values()].flatMap((one) => (one.free && one.withdrawn === undefined ? one.received : []))
    return {
      entry: { kind: 'REQUEST', ...made(acting), from, to, received, free: isFree(received, free) },
      also: (after) => listing(acting, patient, after, after.length),
    }
  })
}

/** Extends the time for an accounting, once, within the first sixty days. @param reason as the individual was told in writing */
export async function extendAccounting(acting: Acting, id: string, reason: string): Promise<Acted> {
  const { patient, number: of } = entryPlace(id)
  const because = enteredText(reason, 'TEXT')
  return await act(acting, patient, ({ requests }) => {
    const request = found(requests, of)
    const isOpen = request.given === undefined && request.withdrawn === undefined && request.extension === undefined
    if (!isOpen || acting.now > endOfDay(dueOn(request.received)))
      throw new BadUserInput({
        detail:
          'The request is answered, withdrawn, extended, or past its due day. Only an open request is extended, and only once.',
      })
    return {
      entry: { kind: 'EXTENSION', ...made(acting), of, reason: because },
      of,
      also: (after) => listing(acting, patient, after, of),
    }
  })
}

/** Enters that the individual withdrew a request, for example because of the fee. */
export async function withdrawAccountingRequest(acting: Acting, id: string, reason: string): Promise<Acted> {
  const { patient, number: of } = entryPlace(id)
  const because = enteredText(reason, 'TEXT')
  return await act(acting, patient, ({ requests }) => {
    const request = found(requests, of)
    if (request.given !== undefined)
      throw new BadUserInput({ detail: 'The accounting of the request was given. It is not withdrawn any more.' })
    if (request.withdrawn !== undefined) return of
    return {
      entry: { kind: 'REQUEST_WITHDRAWAL', ...made(acting), of, reason: because },
      of,
      also: (after) => listing(acting, patient, after, of),
    }
  })
}

/**
 * Computes the accounting of a request, and stores it as it is given. A request is answered once: a further call changes nothing.
 *
 * @throws BadUserInput for a request that was withdrawn
 */
export async function giveAccounting(acting: Acting, reading: AccountingReading, id: string): Promise<Acted> {
  const { patient, number: of } = entryPlace(id)
  const { book, now } = acting
  return await act(acting, patient, async (ledger) => {
    const request = found(ledger.requests, of)
    const state = stateOf(request, now)
    if (state === 'GIVEN') return of
    if (state === 'WITHDRAWN')
      throw new BadUserInput({ detail: 'The request was withdrawn. Enter a new one with `requestAccounting`.' })
    const { from, to } = request
    const accounting = forIndividual(await readAccounting(reading, { patient, from, to }, ledger))
    const { writes, digest } = await book.addGiven(patient, of, { accounting, html: accountingHtml(accounting) })
    return {
      entry: { kind: 'GIVEN', ...made(acting), of, sha256: digest },
      of,
      also: (after) => [...writes, ...listing(acting, patient, after, of)],
    }
  })
}

async function act(acting: Acting, patient: string, decide: Parameters<typeof changeLedger>[2]): Promise<Acted> {
  return { patient, ...(await changeLedger(acting, patient, decide)) }
}

const listing = ({ book }: Acting, patient: string, { requests }: Ledger, number: number) => [
  book.putRequest(listed(patient, found(requests, number))),
]
