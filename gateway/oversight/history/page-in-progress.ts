import { entriesOf, type Item } from '../../audit/item.ts'
import { compareItemPlaces, placeOf } from '../../audit/item-place.ts'
import { type AccessFilter, isSelected } from '../access-filter.ts'
import {
  type AccessPage,
  type AccessPosition,
  comparePositions,
  type PageRequest,
  positionOf,
  type RecordedAccess,
} from '../recorded-access.ts'

/** The most records that are read for one page, but for the rest of an item. */
export const MAX_EXAMINED = 100_000

/** A page that is filled from items, in their order. Only the records of one item are decoded at a time. */
export class PageInProgress {
  readonly #filter: AccessFilter
  readonly #request: PageRequest
  readonly #accesses: RecordedAccess[] = []
  #examined = 0
  #last: AccessPosition | undefined
  #state: 'OPEN' | 'FULL' | 'STOPPED' = 'OPEN'

  constructor(filter: AccessFilter, request: PageRequest) {
    this.#filter = filter
    this.#request = request
    this.#last = request.after
  }

  /** Whether the page takes further items. */
  get isOpen(): boolean {
    return this.#state === 'OPEN'
  }

  /**
   * Adds the records of the next items that the filter selects.
   *
   * @throws TypeError for a malformed item
   */
  take(items: readonly Item[]): void {
    for (const item of items) {
      if (!this.isOpen) return
      this.#takeItem(item)
    }
  }

  /** @param isEnd whether no item follows those that the page took */
  close(isEnd: boolean): AccessPage {
    const accesses = this.#accesses
    const last = accesses.at(-1)
    const page = { accesses, examined: this.#examined }
    if (this.#state === 'FULL' && last !== undefined) return { ...page, next: positionOf(last) }
    return { ...page, next: isEnd && this.isOpen ? undefined : this.#last }
  }

  #takeItem(item: Item): void {
    const { after, first } = this.#request
    if (after !== undefined && compareItemPlaces(placeOf(item), after) < 0) return
    if (this.#examined >= MAX_EXAMINED) {
      this.#state = 'STOPPED'
      return
    }
    const entries = entriesOf(item)
    this.#examined += entries.length
    for (const entry of entries) {
      const position = positionOf(entry)
      if (after !== undefined && comparePositions(position, after) <= 0) continue
      if (isSelected(this.#filter, entry)) {
        // one more than the page has: others follow
        if (this.#accesses.length === first) {
          this.#state = 'FULL'
          return
        }
        this.#accesses.push(entry)
      }
      this.#last = position
    }
  }
}
