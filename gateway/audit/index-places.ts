import type { Deadline } from '../model/deadline.ts'
import type { TenantId } from '../model/ids.ts'
import type { AuditReads, QueryPage } from './audit-reads.ts'
import { AUDIT_INDEX, INDEX_SHARDS, indexKey } from './item.ts'
import { compareItemPlaces, type ItemPlace, placeOf } from './item-place.ts'

/** The part of an index to read. */
export interface IndexSpan {
  readonly index: keyof typeof AUDIT_INDEX
  readonly tenant: TenantId
  /** A patient or user. */
  readonly subject: string
  /** Milliseconds since the epoch, both inclusive. */
  readonly from: number
  readonly to: number
  /** The first place to return. Left out: the first one of the span. */
  readonly start?: ItemPlace | undefined
}

/** Places of an index, in the order of `compareItemPlaces`, without a gap. */
export interface IndexPlaces {
  readonly places: readonly ItemPlace[]
  /** Whether the span has no further place. */
  readonly isEnd: boolean
}

/** The share of the wanted places that is read of each shard. Items are spread evenly, so twice the average is enough. */
const SHARD_SHARE = 2 / INDEX_SHARDS

/**
 * Reads the latest places of a patient or user, all shards of the index in parallel.
 *
 * The index is eventually consistent. A place that it does not have yet is missing.
 *
 * @param enough about how many places to return. There is at least one, unless the span has none
 * @throws StoreUnavailable
 */
export async function latestPlaces(reads: AuditReads, span: IndexSpan, enough: number, deadline?: Deadline): Promise<IndexPlaces> {
  const to = Math.min(span.to, span.start?.time ?? span.to)
  // DynamoDB refuses a span that ends before it begins
  if (span.from > to) return { places: [], isEnd: true }
  const shards = await Promise.all(
    Array.from({ length: INDEX_SHARDS }, async (_, shard) => await shardPlaces(reads, { ...span, to }, shard, enough, deadline)),
  )
  // a shard that was not read to its end can have more places of its last time and of every earlier one
  const unread = Math.max(...shards.map((shard) => shard.unread))
  const places = shards.flatMap((shard) => shard.places).filter(({ time }) => time > unread)
  return { places: places.toSorted(compareItemPlaces), isEnd: unread === Number.NEGATIVE_INFINITY }
}

interface ShardPlaces {
  readonly places: readonly ItemPlace[]
  /** All places after this time were read. */
  readonly unread: number
}

async function shardPlaces(
  reads: AuditReads,
  { index, tenant, subject, from, to, start }: IndexSpan,
  shard: number,
  enough: number,
  deadline: Deadline | undefined,
): Promise<ShardPlaces> {
  const { name, key } = AUDIT_INDEX[index]
  const places: ItemPlace[] = []
  let next: QueryPage['next']
  do {
    const page = await reads.page(
      {
        IndexName: name,
        KeyConditionExpression: `${key} = :subject AND #at BETWEEN :from AND :to`,
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: {
          ':subject': { S: indexKey(tenant, subject, shard) },
          ':from': { N: String(from) },
          ':to': { N: String(to) },
        },
        ScanIndexForward: false,
        Limit: Math.max(2, Math.ceil(enough * SHARD_SHARE)),
        ...(next && { ExclusiveStartKey: next }),
      },
      deadline,
    )
    places.push(...page.items.map(placeOf).filter((place) => start === undefined || compareItemPlaces(place, start) >= 0))
    next = page.next
    // an index returns the items of one time in no defined order, so all of them are read
  } while (next !== undefined && places[0]?.time === places.at(-1)?.time)
  return { places, unread: next === undefined ? Number.NEGATIVE_INFINITY : (places.at(-1)?.time ?? to) }
}
