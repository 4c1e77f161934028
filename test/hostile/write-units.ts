import type { Clock } from '../../gateway/model/record.ts'
import { itemBytes, unitsOf, type WireItem } from './item-size.ts'
import { keyText, type TableShape, type TableShapes } from './table-shapes.ts'
import type { Write } from './writes.ts'

/** What a partition key of a table or an index takes in one second, in write units. */
const UNITS_A_SECOND = 1_000

/**
 * The write units that each partition key of a table and of its indexes takes in a second. A key has a bucket of one second and
 * no burst beyond it: on AWS a burst may be granted, and nobody can count on it.
 *
 * A write costs one unit for each started KiB, two in a transaction, and one for each started KiB of what an index projects of
 * it. An index that is pressed holds back the write to the table. An update is charged as one KiB: its size is not in the call.
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
   * Takes what the writes cost, all or nothing.
   *
   * @returns the positions of the writes that are throttled; none when all was taken
   */
  async take(writes: readonly Write[], inTransaction: boolean): Promise<ReadonlySet<number>> {
    const costs = await Promise.all(writes.map((write) => this.#costs(write, inTransaction)))
    const total = new Map<string, number>()
    for (const [key, units] of costs.flat()) total.set(key, (total.get(key) ?? 0) + units)
    // what alone is more than a second's worth passes when the bucket is full, and leaves a debt: it could never pass else
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

function indexCosts(table: string, { indexes }: TableShape, item: WireItem): (readonly [string, number])[] {
  return indexes.flatMap(({ name, key, projected }) => {
    if (keyText(item, key) === undefined) return []
    const kept =
      projected === 'ALL' ? item : Object.fromEntries(Object.entries(item).filter(([attribute]) => projected.has(attribute)))
    return [[`${table}/${name} ${String(keyText(item, key.slice(0, 1)))}`, unitsOf(itemBytes(kept))] as const]
  })
}
