import { firstDetail } from '../../model/limit-details.ts'
import { BadUserInput } from '../../model/failures.ts'
import type { AuditReading, AuditRoot } from '../audit-reader.ts'
import type { AuditMutation, AuditWriting } from '../audit-mutation.ts'
import { accountedSpan } from './accounted-span.ts'
import * as acts from './accounting-acts.ts'
import {
  accountingPayload,
  disclosurePayload,
  givenPayload,
  requestPayload,
  studyPayload,
  suspensionPayload,
  type Texts,
} from './accounting-payloads.ts'
import { endOfDay } from '../../model/accounting/calendar.ts'
import { found, listed } from './change-ledger.ts'
import { type DisclosureInput, type StudyInput, studyFacts } from './disclosure-input.ts'
import type { ListedRequest } from './disclosure-book.ts'
import { entryPlace, patientOf, UnknownEntry } from './entry-id.ts'
import type { IndividualAccounting } from './individual-accounting.ts'
import { type RequestState, stateOf } from './ledger.ts'
import { readAccounting } from './read-accounting.ts'

/** Those who may enter texts may read them. */
const textsFor = ({ isPermitted }: Pick<AuditReading, 'isPermitted'>): Texts =>
  isPermitted('recordDisclosure') ? 'SHOWN' : 'WITHHELD'

interface AccountingArguments {
  readonly patientId: string
  readonly from: string
  readonly to: string
}

/** `accountingOfDisclosures`: the accounting as the privacy officer sees it. Nothing is given to the patient. */
export const accountingOfDisclosures: AuditRoot<AccountingArguments> = async ({ patientId, ...times }, reading) => {
  const patient = patientOf(patientId)
  const accounting = await readAccounting(reading, { patient, ...accountedSpan(times, reading.now) })
  return { value: accountingPayload(accounting, textsFor(reading)), patient, count: accounting.entries.length }
}

/** `disclosures`: what was entered about a patient, with its former versions. */
export const disclosures: AuditRoot<{ readonly patientId: string }> = async ({ patientId }, reading) => {
  const patient = patientOf(patientId)
  const entered = [...(await reading.reader.disclosures.ledger(patient)).disclosures.values()]
  const texts = textsFor(reading)
  return { value: entered.map((one) => disclosurePayload(patient, one, texts)), patient, count: entered.length }
}

/** `suspensions`: those of a patient, with those that are over. */
export const suspensions: AuditRoot<{ readonly patientId: string }> = async ({ patientId }, reading) => {
  const patient = patientOf(patientId)
  const all = [...(await reading.reader.disclosures.ledger(patient)).suspensions.values()]
  const texts = textsFor(reading)
  return { value: all.map((one) => suspensionPayload(patient, one, reading.now, texts)), patient, count: all.length }
}

const STATES: readonly RequestState[] = ['OVERDUE', 'OPEN', 'GIVEN', 'WITHDRAWN']
const MAX_REQUESTS = 500

interface RequestArguments {
  readonly patientId?: string | null
  readonly state?: readonly RequestState[] | null
  readonly first: number
}

/** `accountings`: the requests, overdue ones first, each group by its due day. */
export const accountings: AuditRoot<RequestArguments> = async ({ patientId, state, first }, { reader, now }) => {
  if (!Number.isSafeInteger(first) || first < 1 || first > MAX_REQUESTS)
    throw new BadUserInput({ detail: () => firstDetail(first, MAX_REQUESTS) })
  const patient = patientId === null || patientId === undefined ? undefined : patientOf(patientId)
  const all = (await reader.disclosures.requests())
    .map((request) => ({ request, state: listedState(request, now) }))
    .filter((one) => (patient === undefined || one.request.patient === patient) && (state?.includes(one.state) ?? true))
    .toSorted(
      (one, other) => STATES.indexOf(one.state) - STATES.indexOf(other.state) || (one.request.due < other.request.due ? -1 : 1),
    )
  const requests = all.slice(0, first).map((one) => requestPayload(one.request, one.state))
  return {
    value: { requests, total: all.length, overdue: all.filter((one) => one.state === 'OVERDUE').length },
    ...(patient !== undefined && { patient }),
    count: requests.length,
  }
}

function listedState({ givenAt, withdrawn, due }: ListedRequest, now: number): RequestState {
  if (givenAt !== undefined) return 'GIVEN'
  if (withdrawn) return 'WITHDRAWN'
  return now > endOfDay(due) ? 'OVERDUE' : 'OPEN'
}

/** `accountingAsGiven`: what a patient received. */
export const accountingAsGiven: AuditRoot<{ readonly requestId: string }> = async ({ requestId }, reading) => {
  const { patient, number } = entryPlace(requestId)
  const { requests } = await reading.reader.disclosures.ledger(patient)
  const request = found(requests, number)
  if (request.given === undefined) throw new UnknownEntry()
  const content = await reading.reader.disclosures.given(patient, number, request.given.sha256)
  // safe: the digest of the ledger covers the text, which `giveAccounting` wrote
  const accounting = content.accounting as IndividualAccounting
  const shown = requestPayload(listed(patient, request), stateOf(request, reading.now))
  return { value: givenPayload(shown, { accounting, html: content.html }), patient, count: accounting.entries.length }
}

/** `studyDisclosures`: what is stated about the disclosures for each study. */
export const studyDisclosures: AuditRoot<object> = async (_, { reader }) => {
  const studies = [...(await reader.disclosures.studies()).values()]
  return { value: studies.map(({ facts }) => studyPayload(facts)), count: studies.length }
}

type Show = (acted: acts.Acted, writing: AuditWriting) => object | Promise<object>

/** A mutation that adds an entry to a ledger. */
const entering = <Arguments>(
  action: AuditMutation<Arguments>['action'],
  write: (acting: acts.Acting, args: Arguments, writing: AuditWriting) => Promise<acts.Acted>,
  show: Show,
): AuditMutation<Arguments> => ({
  action,
  run: async (args, writing) => {
    const { reader, now, by, commit, act } = writing
    const acted = await write({ book: reader.disclosures, commit, act, now, by }, args, writing)
    return { value: await show(acted, writing), patient: acted.patient, count: 1, isStored: acted.isStored }
  },
})

const disclosureOf: Show = ({ patient, ledger, number }) => disclosurePayload(patient, found(ledger.disclosures, number), 'SHOWN')
const suspensionOf: Show = ({ patient, ledger, number }, { now }) =>
  suspensionPayload(patient, found(ledger.suspensions, number), now, 'SHOWN')
const requestOf: Show = ({ patient, ledger, number }, { now }) => {
  const request = found(ledger.requests, number)
  return requestPayload(listed(patient, request), stateOf(request, now))
}

interface ById {
  readonly id: string
  readonly reason: string
}
interface ByRequest {
  readonly requestId: string
  readonly reason: string
}
interface ByPatient<Input> {
  readonly patientId: string
  readonly input: Input
}

export const recordDisclosure = entering<ByPatient<DisclosureInput>>(
  'CREATE',
  (acting, { patientId, input }) => acts.recordDisclosure(acting, patientId, input),
  disclosureOf,
)

export const correctDisclosure = entering<ById & { readonly input: DisclosureInput }>(
  'UPDATE',
  (acting, { id, reason, input }) => acts.correctDisclosure(acting, id, reason, input),
  disclosureOf,
)

export const withdrawDisclosure = entering<ById>(
  'UPDATE',
  (acting, { id, reason }) => acts.withdrawDisclosure(acting, id, reason),
  disclosureOf,
)

export const suspendAccounting = entering<ByPatient<acts.SuspensionInput>>(
  'CREATE',
  (acting, { patientId, input }) => acts.suspendAccounting(acting, patientId, input),
  suspensionOf,
)

export const endSuspension = entering<ById>(
  'UPDATE',
  (acting, { id, reason }) => acts.endSuspension(acting, id, reason),
  suspensionOf,
)

export const requestAccounting = entering<acts.RequestInput & { readonly patientId: string }>(
  'CREATE',
  (acting, { patientId, ...input }) => acts.requestAccounting(acting, patientId, input),
  requestOf,
)

export const extendAccounting = entering<ByRequest>(
  'UPDATE',
  (acting, { requestId, reason }) => acts.extendAccounting(acting, requestId, reason),
  requestOf,
)

export const withdrawAccountingRequest = entering<ByRequest>(
  'UPDATE',
  (acting, { requestId, reason }) => acts.withdrawAccountingRequest(acting, requestId, reason),
  requestOf,
)

export const giveAccounting = entering<{ readonly requestId: string }>(
  'CREATE',
  (acting, { requestId }, writing) => acts.giveAccounting(acting, writing, requestId),
  async ({ patient, number }, writing) => {
    const { value } = await accountingAsGiven({ requestId: `${patient}.${number}` }, writing)
    return value as object
  },
)

/** `describeStudy`: what the privacy officer states about the disclosures for a study. */
export const describeStudy: AuditMutation<{ readonly input: StudyInput }> = {
  action: 'UPDATE',
  run: async ({ input }, { reader, now, by, commit, act }) => {
    const facts = studyFacts(input, { now, by })
    const before = (await reader.disclosures.studies()).get(facts.protocol)
    const record = { ...act, recordId: facts.protocol, outcome: 'WRITTEN' } as const
    await commit([reader.disclosures.addStudy(facts, before)], record)
    return { value: studyPayload(facts), count: 1, isStored: true }
  },
}
