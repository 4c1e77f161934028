import { createHash } from 'node:crypto'
import type { Clock } from '../../gateway/model/record.ts'
import type { Reply } from './faults.ts'
import type { WireItem } from '../../bench/store/item-size.ts'
import { keyText, type TableShape, type TableShapes } from './table-shapes.ts'
import type { Write } from './writes.ts'

/**
 * Lets an index show an item only some time after it was written, another time for each item, so that what was written later
 * may be seen earlier. An item counts as new when its key was not written before through here: the new state of an old one is
 * shown at once, and so is a deletion.
 */
export class IndexLag {
  readonly #shapes: TableShapes
  readonly #now: Clock
  readonly #seed: number
  /** By table and key, when the indexes of the table show it. */
  readonly #shownAt = new Map<string, number>()

  constructor(shapes: TableShapes, now: Clock, seed: number) {
    this.#shapes = shapes
    this.#now = now
    this.#seed = seed
  }

  /** @param longest milliseconds after which an item is seen for certain */
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
   * A page of a query over an index without what it does not show yet. The page may be short or empty and still not be the
   * last, as any page may.
   *
   * @returns the page, and how many items were left out
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

  /** Of [0, 1), by item: whatever the order of writes, the same item is as late. */
  #share(name: string): number {
    return createHash('sha256').update(`${this.#seed}\n${name}`).digest().readUInt32BE(0) / 2 ** 32
  }
}

/** Undefined for an item whose key is not projected. */
function nameOf(table: string, { key }: TableShape, item: WireItem): string | undefined {
  const text = keyText(item, key)
  return text === undefined ? undefined : `${table} ${text}`
}
