import { userInfo } from 'node:os'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { REVIEWED_TYPE } from '../model/access-record.ts'
import type { Accounting } from '../oversight/disclosures/accounting.ts'
import { recordDisclosure } from '../oversight/disclosures/accounting-acts.ts'
import { accountedSpan } from '../oversight/disclosures/accounted-span.ts'
import type { ListedRequest } from '../oversight/disclosures/disclosure-book.ts'
import type { DisclosureInput } from '../oversight/disclosures/disclosure-input.ts'
import { entryId, patientOf } from '../oversight/disclosures/entry-id.ts'
import type { EnteredDisclosure } from '../oversight/disclosures/ledger.ts'
import { readAccounting } from '../oversight/disclosures/read-accounting.ts'
import type { AuditReview } from './audit-review.ts'

/**
 * The accounting of disclosures of one tenant, for an operator. Each read is recorded as a review before its answer returns, and each write
 * commits with its audit record.
 */
export interface DisclosureAdmin {
  /** @throws BadUserInput, FilterTooBroad, StoreUnavailable, AuditLogUnavailable, AuditUnavailable */
  accounting(patientId: string, times: { readonly from: string; readonly to: string }): Promise<Accounting>
  /** What was entered about a patient. */
  entered(patientId: string): Promise<{ readonly patient: string; readonly disclosures: readonly EnteredDisclosure[] }>
  /** The requests for accountings. */
  requests(): Promise<readonly ListedRequest[]>
  /** Enters a disclosure. Returns its id. @throws BadUserInput, VersionConflict, AuditUnavailable */
  record(patientId: string, input: DisclosureInput): Promise<string>
}

export const disclosureAdmin = ({ ask, commit, now, reader }: AuditReview): DisclosureAdmin => ({
  async accounting(patientId, times) {
    const patient = patientOf(patientId)
    const question = { field: 'accountingOfDisclosures', args: { patientId, ...times }, patient }
    return await ask(question, async (reading) => {
      const answer = await readAccounting(reading, { patient, ...accountedSpan(times, reading.now) })
      return { answer, count: answer.entries.length }
    })
  },
  async entered(patientId) {
    const patient = patientOf(patientId)
    return await ask({ field: 'disclosures', args: { patientId }, patient }, async () => {
      const disclosures = [...(await reader.disclosures.ledger(patient)).disclosures.values()]
      return { answer: { patient, disclosures }, count: disclosures.length }
    })
  },
  async requests() {
    return await ask({ field: 'accountings', args: {} }, async () => {
      const answer = await reader.disclosures.requests()
      return { answer, count: answer.length }
    })
  },
  async record(patientId, input) {
    const act = { path: `${REVIEWED_TYPE}.recordDisclosure` as SchemaPath, action: 'CREATE' } as const
    const { disclosures: book } = reader
    return entryId(await recordDisclosure({ book, commit, act, now: now(), by: `os:${userInfo().username}` }, patientId, input))
  },
})
