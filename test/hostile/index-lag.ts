import { createHash } from 'node:crypto'
import type { Clock } from '../../gateway/model/record.ts'
import type { Reply } from './faults.ts'
import type { WireItem } from '../../bench/store/item-size.ts'
import { keyText, type TableShape, type TableShapes } from './table-shapes.ts'
import type { Write } from './writes.ts'

/**
 * Delays the visibility of items in an index, by a different time for each item, so that a later write may be visible earlier. An
 * item counts as new if its key was not written through this proxy before. Updates and deletions of an old item are visible at
 * once.
 */
export class IndexLag {
  readonly #shapes: TableShapes
  readonly #now: Clock
  readonly #seed: number
  /** The time at which the indexes show an item, by table and key. */
  readonly #shownAt = new Map<string, number>()

  constructor(shapes: TableShapes, now: Clock, seed: number) {
    this.#shapes = shapes
    this.#now = now
    this.#seed = seed
  }

  /** @param longest milliseconds after which every item is visible */
  async wrote(writes: readonly Write[], longest: number): Promise<void> {
    for (const { kind, table, item } of writes) {
      const shape = await this.#shapes.of(table)
      const name = shape && nameOf(table, shape, item)
      if (name === undefined) continue
      if (kind === 'DELETE') this.#shownAt.delete(name)
      else if (kind === 'PUT' && !this.#shownAt.has(name)) this.#shownAt.set(name, this.#now() + longest * this.#share(name))
    }
  }

  /**
   * A page of a query over an index without the items that are not visible yet. As on DynamoDB, the page may be short or empty
   * without being the last one.
   *
   * @returns the page, and the number of omitted items
   */
  async seen(table: string, { status, body }: Reply): Promise<{ readonly reply: Reply; readonly hidden: number }> {
    const shape = await this.#shapes.of(table)
    const items = body['Items'] as readonly WireItem[] | undefined
    if (!shape || status !== 200 || !items) return { reply: { status, body }, hidden: 0 }
    const now = this.#now()
    const shown = items.filter((item) => (this.#shownAt.get(nameOf(table, shape, item) ?? '') ?? 0) <= now)
    const hidden = items.length - shown.length
    const scanned = Number(body['ScannedCount'] ?? items.length) - hidden
    return { reply: { status, body: { ...body, Items: shown, Count: shown.length, ScannedCount: scanned } }, hidden }
  }

  /** A number in [0, 1) for each item, independent of the order of writes. */
  #share(name: string): number {
    return createHash('sha256').update(`${this.#seed}\n${name}`).digest().readUInt32BE(0) / 2 ** 32
  }
}

/** Undefined if the index does not project the key of the item. */
function nameOf(table: string, { key }: TableShape, item: WireItem): string | undefined {
  const text = keyText(item, key)
  return text === undefined ? undefined : `${table} ${text}`
}
