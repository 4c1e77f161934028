import type { Deadline } from '../../model/deadline.ts'
import { AuditLogUnavailable, BadUserInput } from '../../model/failures.ts'
import type { TenantId } from '../../model/ids.ts'
import { type DisclosureTable, type DisclosureWrite, MAX_NUMBER } from '../../store/disclosures.ts'
import type { AccessFilter } from '../access-filter.ts'
import { LedgerFull } from '../disclosures/ledger-full.ts'
import type { AccessPage, PageRequest } from '../recorded-access.ts'
import { parseSignOff, SIGN_OFF_PATH, type SignOff, signedStatement, signOffText } from './sign-off.ts'

/** Finds records of the tenant's log. */
interface RecordedAccesses {
  /** @throws BadUserInput, StoreUnavailable */
  page(filter: AccessFilter, request: PageRequest, deadline: Deadline): Promise<AccessPage>
}

/** The audit records that are looked up at one time. */
const PARALLEL = 8

/**
 * The sign-offs of one tenant: no argument names another. A sign-off counts only with its audit record, so that another writer to the
 * table can neither add nor change one. Each method throws StoreUnavailable.
 */
export class SignOffBook {
  readonly #table: DisclosureTable
  readonly #history: RecordedAccesses
  readonly #tenant: TenantId

  constructor(table: DisclosureTable, history: RecordedAccesses, tenant: TenantId) {
    this.#table = table
    this.#history = history
    this.#tenant = tenant
  }

  /**
   * All sign-offs as they are stored, the earliest first. `verify` those that an answer depends on.
   *
   * @throws AuditLogUnavailable if one is malformed or has the number of another one
   */
  async stored(): Promise<readonly SignOff[]> {
    const items = await this.#table.signOffs(this.#tenant)
    try {
      return items.map(({ number, text }) => {
        const signOff = parseSignOff(text)
        if (signOff.number !== number) throw new TypeError('a sign-off has the number of another one')
        return signOff
      })
    } catch (cause) {
      throw new AuditLogUnavailable({ cause })
    }
  }

  /**
   * Compares sign-offs with the audit log, which is the record of them.
   *
   * @throws AuditLogUnavailable for one that the log does not have, or has with another content
   */
  async verify(signOffs: readonly SignOff[], deadline: Deadline): Promise<void> {
    for (let first = 0; first < signOffs.length; first += PARALLEL) {
      const part = signOffs.slice(first, first + PARALLEL)
      const recorded = await Promise.all(part.map(async (one) => await this.#isRecorded(one, deadline)))
      if (recorded.includes(false))
        throw new AuditLogUnavailable({ cause: new TypeError('a sign-off is not the one of its audit record') })
    }
  }

  /** The write of the next sign-off. It fails if another writer added one with this number. @throws LedgerFull */
  add(signOff: SignOff): DisclosureWrite {
    if (signOff.number > MAX_NUMBER) throw new LedgerFull()
    return this.#table.addSignOff(this.#tenant, { number: signOff.number, text: signOffText(signOff) })
  }

  async #isRecorded(signOff: SignOff, deadline: Deadline): Promise<boolean> {
    const { requestId, by, number } = signOff
    const page = await this.#history.page({ requestId, path: SIGN_OFF_PATH }, { first: 1 }, deadline).catch((error: unknown) => {
      throw error instanceof BadUserInput ? new AuditLogUnavailable({ cause: error }) : error
    })
    return page.accesses.some(
      ({ outcome, user, recordId, filter }) =>
        outcome === 'WRITTEN' && user === by && recordId === String(number) && filter === signedStatement(signOff),
    )
  }
}
