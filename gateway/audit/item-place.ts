import { type Item, laneOf, sequenceOf } from './item.ts'

/** The place of an item in a list of accesses. */
export interface ItemPlace {
  /** The time of the item's first record, in milliseconds since the epoch. */
  readonly time: number
  readonly lane: string
  readonly sequence: number
}

/** Negative if `one` comes before `other` in a list: the latest time first, then lane and sequence, each ascending. */
export function compareItemPlaces(one: ItemPlace, other: ItemPlace): number {
  if (one.time !== other.time) return other.time - one.time
  // by code units, as the databases do: localeCompare would depend on the language of the machine
  if (one.lane !== other.lane) return one.lane < other.lane ? -1 : 1
  return one.sequence - other.sequence
}

/** The place of an item, or of its key in an index. @throws TypeError if the item is malformed */
export function placeOf(item: Item): ItemPlace {
  const time = Number(item['at']?.N)
  if (!Number.isSafeInteger(time)) throw new TypeError('an audit item has no at')
  return { time, lane: laneOf(item['l']?.S ?? '').lane, sequence: sequenceOf(item['n']?.S ?? '') }
}
