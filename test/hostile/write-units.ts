import type { Clock } from '../../gateway/model/record.ts'
import { itemBytes, unitsOf, type WireItem } from '../../bench/store/item-size.ts'
import { keyText, type TableShape, type TableShapes } from './table-shapes.ts'
import type { Write } from './writes.ts'

/** The write units of a partition key of a table or an index, for each second. */
const UNITS_A_SECOND = 1_000
/**
 * The maximum write units of a transaction for the items of one lane. In the same second, a key has fewer units left after another
 * transaction, so a larger one might be throttled at every attempt. The gateway promises this limit for the audit table only.
 */
const UNITS_A_TRANSACTION = 500
const isAudit = (table: string): boolean => table.endsWith('-audit')

/**
 * The write units of each partition key of a table and of its indexes. A key has a bucket of one second without burst capacity,
 * because AWS does not guarantee a burst.
 *
 * A write costs one unit for each started KiB, two in a transaction, and one for each started KiB of the projection of an index. A
 * throttled index throttles the write to the table. An update is charged as one KiB, because the call does not contain its size.
 *
 * @source https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
 */
export class WriteUnits {
  readonly #shapes: TableShapes
  readonly #now: Clock
  readonly #aSecond: number
  readonly #buckets = new Map<string, { left: number; at: number }>()

  constructor(shapes: TableShapes, now: Clock, aSecond = UNITS_A_SECOND) {
    this.#shapes = shapes
    this.#now = now
    this.#aSecond = aSecond
  }

  /**
   * Takes the units of all writes, or none.
   *
   * @returns the positions of the throttled writes; empty if all units were taken
   */
  async take(writes: readonly Write[], inTransaction: boolean): Promise<ReadonlySet<number>> {
    const costs = await Promise.all(writes.map((write) => this.#costs(write, inTransaction)))
    const large = inTransaction ? tooLarge(writes, costs) : new Set<number>()
    if (large.size > 0) return large
    const total = new Map<string, number>()
    for (const [key, units] of costs.flat()) total.set(key, (total.get(key) ?? 0) + units)
    // a write above one second's units passes if the bucket is full, and leaves a debt; otherwise it could never pass
    const pressed = new Set(
      [...total].filter(([key, units]) => this.#left(key) < Math.min(units, this.#aSecond)).map(([key]) => key),
    )
    if (pressed.size > 0)
      return new Set(costs.flatMap((parts, position) => (parts.some(([key]) => pressed.has(key)) ? [position] : [])))
    for (const [key, units] of total) this.#buckets.set(key, { left: this.#left(key) - units, at: this.#now() })
    return new Set()
  }

  #left(key: string): number {
    const bucket = this.#buckets.get(key)
    if (!bucket) return this.#aSecond
    return Math.min(this.#aSecond, bucket.left + ((this.#now() - bucket.at) * this.#aSecond) / 1_000)
  }

  async #costs({ kind, table, item }: Write, inTransaction: boolean): Promise<readonly (readonly [string, number])[]> {
    const shape = await this.#shapes.of(table)
    if (!shape) return []
    const base = unitsOf(itemBytes(item)) * (inTransaction ? 2 : 1)
    const own: readonly [string, number] = [`${table} ${String(keyText(item, shape.key.slice(0, 1)))}`, base]
    return kind === 'PUT' ? [own, ...indexCosts(table, shape, item)] : [own]
  }
}

/** The positions of audit items in lanes that exceed the limit of a transaction. Index entries count too. */
function tooLarge(writes: readonly Write[], costs: readonly (readonly (readonly [string, number])[])[]): ReadonlySet<number> {
  const byLane = Map.groupBy(writes.keys(), (position) => {
    const { table = '', item } = writes[position] ?? {}
    return isAudit(table) ? `${table} ${JSON.stringify(item?.['l'])}` : undefined
  })
  const unitsOfAll = (positions: readonly number[]): number =>
    positions.flatMap((position) => costs[position] ?? []).reduce((sum, [, units]) => sum + units, 0)
  return new Set(
    [...byLane].flatMap(([lane, positions]) =>
      lane !== undefined && unitsOfAll(positions) > UNITS_A_TRANSACTION ? positions : [],
    ),
  )
}

function indexCosts(table: string, { indexes }: TableShape, item: WireItem): (readonly [string, number])[] {
  return indexes.flatMap(({ name, key, projected }) => {
    if (keyText(item, key) === undefined) return []
    const kept =
      projected === 'ALL' ? item : Object.fromEntries(Object.entries(item).filter(([attribute]) => projected.has(attribute)))
    return [[`${table}/${name} ${String(keyText(item, key.slice(0, 1)))}`, unitsOf(itemBytes(kept))] as const]
  })
}
