import type { GraphQLResolveInfo } from 'graphql'

export type ResponsePath = GraphQLResolveInfo['path']
/** An entry of `errors`, with the records and places that it counts. */
export type Told = {
  readonly code: string
  readonly coordinate: string
  readonly reason: string
  records: Set<string>
  places: string[]
}

/** Adds a place to the entry with the same coordinate and reason. */
export function gather(into: Map<string, Told>, told: Omit<Told, 'records' | 'places'>, record: string, place: ResponsePath): void {
  const key = `${told.coordinate} ${told.reason}`
  const known = into.get(key) ?? { ...told, records: new Set(), places: [] }
  into.set(key, known)
  known.records.add(record)
  known.places.push(JSON.stringify(flat(place)))
}

/** The keys of a place in the answer. */
export function flat(place: ResponsePath | undefined): (string | number)[] {
  return place === undefined ? [] : [...flat(place.prev), place.key]
}

/** Sets a place of the answer to null. */
export function setNull(data: unknown, path: readonly (string | number)[]): void {
  const [key, ...rest] = path
  if (key === undefined || data === null || typeof data !== 'object') return
  const inside = data as Record<string | number, unknown>
  if (rest.length === 0) inside[key] = null
  else setNull(inside[key], rest)
}
