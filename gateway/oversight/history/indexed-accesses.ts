import type { AuditHistory } from '../../audit/history.ts'
import type { ItemPlace } from '../../audit/item-place.ts'
import type { Deadline } from '../../model/deadline.ts'
import { Failure, storeOverdue, StoreUnavailable } from '../../model/failures.ts'
import type { TenantId } from '../../model/ids.ts'
import type { AccessFilter } from '../access-filter.ts'
import type { AccessAddress } from '../access-address.ts'
import type { AccessHistory } from '../audit-reader.ts'
import type { AccessPage, PageRequest, RecordedAccess } from '../recorded-access.ts'
import { PageInProgress } from './page-in-progress.ts'

/** The most items that are read for one page of a patient or user. An item has at most 32 KB, so a page reads at most 32 MB. */
export const MAX_ITEMS = 1_000

/**
 * The records of one tenant, by the indexes of the audit table.
 *
 * A page takes at most three rounds of requests:
 *
 * | round | by patient or user | by request |
 * | --- | --- | --- |
 * | 1 | the places of the items, all shards of the index in parallel | the registries of lanes |
 * | 2 | as many items as the page can have records: each has at least one | times in the lanes of the process |
 * | 3 | if the filter left too few of them, the other items up to the bound | the items of the request |
 *
 * The third column has the exceptions that `itemsOfRequest` names. A page that reaches a bound is short, and others follow it.
 *
 * **Pages and new writes.** The order is total, and a cursor is a place in it. No record that a later page reaches was in an earlier one,
 * and a page skips no record that the index has when the page is read. A record that is stored meanwhile has usually a later time than
 * the first page, and is before it. The time of an item is that of its first record, and the index is eventually consistent: an item
 * can therefore appear with a time that the reader has passed already. It is at most as old as its request takes (30 s, ten minutes for
 * an import) and the index lags. A list with a `to` that is eleven minutes old does not change any more.
 */
export class IndexedAccesses implements AccessHistory {
  readonly #history: AuditHistory
  readonly #tenant: TenantId

  constructor(history: AuditHistory, tenant: TenantId) {
    this.#history = history
    this.#tenant = tenant
  }

  async page(filter: AccessFilter, request: PageRequest, deadline: Deadline): Promise<AccessPage> {
    return await readable(
      async () =>
        await deadline.wait(async () => {
          const { requestId } = filter
          if (requestId === undefined) return await this.#byIndex(filter, request, deadline)
          const page = new PageInProgress(filter, request)
          page.take(await this.#history.itemsOfRequest(this.#tenant, requestId, deadline))
          return page.close(true)
        }, storeOverdue),
    )
  }

  async access({ lane, sequence, index }: AccessAddress, deadline: Deadline): Promise<RecordedAccess | undefined> {
    return await readable(async () => {
      const entries = await this.#history.ofItem(this.#tenant, lane, sequence, deadline)
      return entries.find((entry) => entry.index === index)
    })
  }

  async #byIndex(filter: AccessFilter, request: PageRequest, deadline: Deadline): Promise<AccessPage> {
    const { patient, user, from = 0, to = Number.MAX_SAFE_INTEGER } = filter
    const subject =
      patient === undefined ? ({ index: 'user', subject: user ?? '' } as const) : ({ index: 'patient', subject: patient } as const)
    // the item of the cursor can have more records
    const span = { ...subject, tenant: this.#tenant, from, to, start: request.after }
    const { places, isEnd } = await this.#history.placesBy(span, MAX_ITEMS, deadline)
    const page = new PageInProgress(filter, request)
    // one item for the rest of the cursor's item, and one that shows that others follow
    const soon = Math.min(MAX_ITEMS, request.first + 2)
    await this.#take(page, places.slice(0, soon), deadline)
    if (page.isOpen) await this.#take(page, places.slice(soon, MAX_ITEMS), deadline)
    return page.close(isEnd && places.length <= MAX_ITEMS)
  }

  async #take(page: PageInProgress, places: readonly ItemPlace[], deadline: Deadline): Promise<void> {
    page.take(await this.#history.itemsAt(this.#tenant, places, deadline))
  }
}

/** A log with a malformed item cannot be read: no answer may leave it out. */
async function readable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    throw cause instanceof Failure ? cause : new StoreUnavailable({ cause })
  }
}
