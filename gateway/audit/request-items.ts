import type { Deadline } from '../model/deadline.ts'
import type { TenantId } from '../model/ids.ts'
import type { AuditReads } from './audit-reads.ts'
import { type Hour, hoursOfRequest } from './hour.ts'
import { entriesOf, type Item, laneKey, registryKey, sequenceKey } from './item.ts'
import { LaneTimes, type TimeWindow } from './lane-times.ts'
import type { RequestName } from './request-id.ts'
import { CLOCK_TOLERANCE_MS } from './verify/hour-limits.ts'
import { chainedItems } from './verify/item.ts'
import { isWholeRequest } from './verify/receipt.ts'

/** No request of a caller takes longer, in milliseconds: API Gateway waits for 30 s. */
const CALLER_MS = 30_000
/** No request takes longer, and no import of one patient. */
const REQUEST_MS = 600_000
/**
 * A lane is in the order of storing, while an item has the time of its first record. An item may therefore follow items with a later
 * time: by the time that a request takes, and by the amount that a clock was set back.
 */
const DISORDER_MS = REQUEST_MS + CLOCK_TOLERANCE_MS
/** A part of a lane is read in parallel parts of about this many items, of less than a MiB each. */
const PART = 200
const MAX_PARTS = 32

/**
 * The items of a request, in no order. There is no index by request: its id names the process and the time.
 *
 * 1. Read the registries of lanes, of the hours that the request can have items in.
 * 2. Read the ends of the lanes of the process, and the times of some of their items.
 * 3. Read the items of the time of the request, and select those of the request.
 *
 * Each step is one round of parallel requests. A lane with more than about 10,000 items takes another round, which locates the time
 * more precisely. If the items do not say that they are all, the last step is repeated with the longest time that a request can take.
 * The items of an unfinished request never say so.
 *
 * @throws StoreUnavailable
 */
export async function itemsOfRequest(
  reads: AuditReads,
  tenant: TenantId,
  request: RequestName,
  deadline?: Deadline,
): Promise<Item[]> {
  const { id, process, at } = request
  const hours = hoursOfRequest(at).map(async (hour) => await laneNames(reads, tenant, hour, `${process}.`, deadline))
  const names = new Set((await Promise.all(hours)).flat())
  const lanes = await Promise.all(
    [...names].map(async (name): Promise<Lane> => {
      const key = laneKey(tenant, name)
      return { key, times: await LaneTimes.read(reads, key, deadline) }
    }),
  )
  const read = async (window: TimeWindow): Promise<Item[]> =>
    (await Promise.all(lanes.map(async (lane) => await itemsIn(reads, lane, window, id, deadline)))).flat()
  const near = await read({ from: at - CALLER_MS, to: at + CALLER_MS })
  return isAll(near, id) ? near : await read({ from: at - DISORDER_MS, to: at + REQUEST_MS + DISORDER_MS })
}

interface Lane {
  readonly key: string
  readonly times: LaneTimes
}

async function laneNames(
  reads: AuditReads,
  tenant: TenantId,
  hour: Hour,
  process: string,
  deadline: Deadline | undefined,
): Promise<string[]> {
  const registered = await reads.all(
    {
      KeyConditionExpression: 'l = :lanes AND begins_with(n, :process)',
      ExpressionAttributeValues: { ':lanes': { S: registryKey(tenant, hour) }, ':process': { S: process } },
      ConsistentRead: true,
    },
    deadline,
  )
  return registered.map(({ n }) => n?.S ?? '')
}

async function itemsIn(
  reads: AuditReads,
  { key, times }: Lane,
  window: TimeWindow,
  request: string,
  deadline: Deadline | undefined,
): Promise<Item[]> {
  const { first, last } = await times.range(window, deadline)
  const size = Math.max(PART, Math.ceil((last - first + 1) / MAX_PARTS))
  const parts = Array.from({ length: Math.ceil((last - first + 1) / size) }, async (_, part) => {
    const start = first + part * size
    return await reads.all(
      {
        KeyConditionExpression: 'l = :lane AND n BETWEEN :first AND :last',
        // a request id is random: no other member of an item contains it
        FilterExpression: 'contains(e, :request)',
        ExpressionAttributeValues: {
          ':lane': { S: key },
          ':first': { S: sequenceKey(start) },
          ':last': { S: sequenceKey(Math.min(last, start + size - 1)) },
          ':request': { S: `"q":"${request}"` },
        },
        ConsistentRead: true,
      },
      deadline,
    )
  })
  return (await Promise.all(parts)).flat()
}

/**
 * Whether the items of a request say that they are all. Each item with a write says how many there are up to it. A command of an
 * operator writes for minutes, so its items say nothing: it has no role.
 */
function isAll(items: readonly Item[], request: string): boolean {
  const entries = items.flatMap(entriesOf)
  return entries.every(({ roles }) => roles.length > 0) && isWholeRequest(chainedItems(entries), request)
}
