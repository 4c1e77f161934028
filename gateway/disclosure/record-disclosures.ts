import type { Coordinate } from '../../directives/coordinates.ts'
import { ACCOUNTED_YEARS, dayOf, yearsBefore } from '../model/accounting/calendar.ts'
import { BadUserInput, OperationTooCostly, StoreUnavailable } from '../model/failures.ts'
import type { PatientDisclosurePage } from '../store/patient-access-source.ts'
import { type DisclosedParts, disclosedParts, type RecordDisclosures, shownDisclosures } from './disclosed-entries.ts'
import type { OwnRecordQuestion } from './own-record-questions.ts'
import { type QuestionSpan, spanOf } from './question-span.ts'
import type { RecordView } from './record-view.ts'
import type { AccessHistory, RequestIdentity } from './request-parts.ts'
import { ShownAccesses, type ShownParts } from './shown-accesses.ts'

interface DisclosureParts extends ShownParts, Pick<RequestIdentity, 'requestId'>, AccessHistory {}

/** Answers of the audit function that one question may take. Nearly always one has all of the span. */
const MAX_ANSWERS = 10
/** Share of the remaining time for one answer. */
const ANSWER_SHARE = 0.6
/** Upper bounds of an answer. Summaries keep entries few: each recipient and purpose is one. */
const MAX_ENTRIES = 1_000
const MAX_BYTES = 2_000_000

/** Answers to whom a patient's information was disclosed. The caller is known to act as the patient or for the patient. */
export class DisclosuresOfRecord implements OwnRecordQuestion<QuestionSpan, RecordDisclosures> {
  readonly coordinate = 'Query.disclosuresOfMyRecord' as Coordinate
  readonly #parts: DisclosureParts

  constructor(parts: DisclosureParts) {
    this.#parts = parts
  }

  /** @throws BadUserInput for a span that is not within the six years of an accounting */
  argumentsOf(args: Readonly<Record<string, unknown>>): QuestionSpan {
    const { now } = this.#parts
    const { from, to, bound } = spanOf(args)
    if (from > now || from < Date.parse(yearsBefore(dayOf(now), ACCOUNTED_YEARS)))
      throw new BadUserInput({ detail: `\`from\` is in the future, or more than ${ACCOUNTED_YEARS} years ago.` })
    return { from, to: Math.min(to, now), bound }
  }

  countOf({ entries, protocols }: RecordDisclosures): number {
    return entries.length + protocols.length
  }

  /**
   * The disclosures that the caller may know of. Only the values of open records have an influence on entries, descriptions and times.
   *
   * @throws OperationTooCostly if the span has too much for one answer; StoreUnavailable, KeyUnavailable, IntegrityFailure, Erased
   */
  async answer(patient: RecordView, { from, to }: QuestionSpan): Promise<RecordDisclosures | 'DENIED'> {
    const shown = await ShownAccesses.open(this.#parts, patient)
    if (shown === 'DENIED') return shown
    const parts = await this.#ask(patient, { from, to }, shown)
    const values = parts.disclosures.flatMap((disclosure) => disclosure.values)
    // the reads of the check depend on open records alone
    await shown.check(values.filter((value) => shown.mayBeShown(value)))
    const disclosures = shownDisclosures(parts, shown)
    const { entries, protocols } = disclosures
    const isTooLarge = entries.length > MAX_ENTRIES || Buffer.byteLength(JSON.stringify(disclosures)) > MAX_BYTES
    if (isTooLarge || protocols.length > MAX_ENTRIES)
      throw new OperationTooCostly({ detail: 'The span has too many disclosures. Choose a shorter span.' })
    return { from: timeOf(from), to: timeOf(to), at: timeOf(this.#parts.now), ...disclosures, mayBeIncomplete: true }
  }

  async #ask(patient: RecordView, span: Pick<QuestionSpan, 'from' | 'to'>, { isLimited }: ShownAccesses): Promise<DisclosedParts> {
    const { caller, requestId, deadline, patientAccesses } = this.#parts
    if (patientAccesses === undefined) throw new StoreUnavailable()
    const question = { tenant: caller.tenant, patient: patient.ref.patient, ...span, requestId }
    const pages: PatientDisclosurePage[] = []
    let after: PatientDisclosurePage['next']
    do {
      if (pages.length === MAX_ANSWERS)
        throw new OperationTooCostly({ detail: 'The span has too many disclosures. Choose a shorter span.' })
      // disclosures without a record are in the first answer, and cannot be checked for a proxy with limits
      const asked = { ...question, entered: pages.length === 0 && !isLimited, ...(after !== undefined && { after }) }
      const page = await patientAccesses.disclosures(asked, deadline.share(ANSWER_SHARE))
      pages.push(page)
      after = page.next
    } while (after !== undefined)
    return disclosedParts(pages)
  }
}

const timeOf = (at: number): string => new Date(at).toISOString()
