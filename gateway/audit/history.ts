import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { Deadline } from '../model/deadline.ts'
import { BadUserInput, StoreUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import { AuditReads } from './audit-reads.ts'
import type { AuditEntry } from './entry.ts'
import { type IndexPlaces, type IndexSpan, latestPlaces } from './index-places.ts'
import { entriesOf, type Item, laneKey, sequenceKey } from './item.ts'
import { compareItemPlaces, type ItemPlace, placeOf } from './item-place.ts'
import { readRequestId } from './request-id.ts'
import { itemsOfRequest } from './request-items.ts'

/** Milliseconds since the epoch, both inclusive. An end that is absent has no limit. */
export interface Span {
  readonly from?: number
  readonly to?: number
}

/** How many places one step of a complete list reads. */
const STEP = 4_000

/**
 * Reads the audit log of one tenant, by patient, user, request or address. It decrypts nothing, because the log contains nothing
 * sealed. Each method throws StoreUnavailable if the log cannot be read, or not before the deadline.
 */
export class AuditHistory {
  readonly #reads: AuditReads

  constructor(client: Pick<DynamoDBClient, 'send'>, table: string) {
    this.#reads = new AuditReads(client, table)
  }

  /** All records about a patient, or by a user, in time order. */
  async entriesBy(index: IndexSpan['index'], tenant: TenantId, subject: string, span: Span = {}): Promise<AuditEntry[]> {
    const entries: AuditEntry[] = []
    for await (const some of this.batchesBy(index, tenant, subject, span)) entries.push(...some)
    return inTimeOrder(entries)
  }

  /** The same records in batches, the latest first. Use it if only some of them are kept. */
  async *batchesBy(
    index: IndexSpan['index'],
    tenant: TenantId,
    subject: string,
    { from = 0, to = Number.MAX_SAFE_INTEGER }: Span = {},
  ): AsyncGenerator<readonly AuditEntry[]> {
    let start: ItemPlace | undefined
    for (let isEnd = false; !isEnd; ) {
      const read = await this.placesBy({ index, tenant, subject, from, to, start }, STEP)
      yield (await this.itemsAt(tenant, read.places)).flatMap(entriesOf)
      const last = read.places.at(-1)
      start = last && { ...last, sequence: last.sequence + 1 }
      isEnd = read.isEnd
    }
  }

  /** All records of one request, in time order. @throws BadUserInput if the text is no request id */
  async ofRequest(tenant: TenantId, requestId: string): Promise<AuditEntry[]> {
    return inTimeOrder((await this.itemsOfRequest(tenant, requestId)).flatMap(entriesOf))
  }

  /** All records of one item; none if there is no such item. */
  async ofItem(tenant: TenantId, lane: string, sequence: number, deadline?: Deadline): Promise<AuditEntry[]> {
    return (await this.#reads.get([keyOf(tenant, { lane, sequence })], deadline)).flatMap(entriesOf)
  }

  /** The places of items about a patient or by a user, latest first: one round of requests. */
  async placesBy(span: IndexSpan, enough: number, deadline?: Deadline): Promise<IndexPlaces> {
    return await latestPlaces(this.#reads, span, enough, deadline)
  }

  /** The items at places of an index, in their order: one round of requests. */
  async itemsAt(tenant: TenantId, places: readonly ItemPlace[], deadline?: Deadline): Promise<Item[]> {
    const items = await this.#reads.get(
      places.map((place) => keyOf(tenant, place)),
      deadline,
    )
    // an item that an index names and the table does not have must not disappear unnoticed
    if (items.length !== places.length) throw new StoreUnavailable()
    return latestFirst(items)
  }

  /** The items of one request, latest first: three rounds of requests. @throws BadUserInput if the text is no request id */
  async itemsOfRequest(tenant: TenantId, requestId: string, deadline?: Deadline): Promise<Item[]> {
    const request = readRequestId(requestId)
    if (request === undefined) throw new BadUserInput()
    return latestFirst(await itemsOfRequest(this.#reads, tenant, request, deadline))
  }
}

const keyOf = (tenant: TenantId, { lane, sequence }: Pick<ItemPlace, 'lane' | 'sequence'>): Item => ({
  l: { S: laneKey(tenant, lane) },
  n: { S: sequenceKey(sequence) },
})

function latestFirst(items: readonly Item[]): Item[] {
  const placed = items.map((item) => ({ item, place: placeOf(item) }))
  return placed.sort((one, other) => compareItemPlaces(one.place, other.place)).map(({ item }) => item)
}

function inTimeOrder(entries: readonly AuditEntry[]): AuditEntry[] {
  return entries.toSorted(
    (a, b) => compare(a.time, b.time) || compare(a.lane, b.lane) || a.sequence - b.sequence || a.index - b.index,
  )
}

// by code units: localeCompare would depend on the language of the machine
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
