import type { ClinicAnswer } from '../../harness/running-clinic.ts'
import type { RecordRef } from '../../../gateway/model/ids.ts'

type Place = readonly (string | number)[]
type Inside = Readonly<Record<string, unknown>>

/** Members of an answer that are no values of a patient. */
const NO_PHI = new Set(['__typename', 'id'])
/** Objects between a record and its values. */
const EMBEDDED = new Set(['Patient.address'])

/** The key under which a value is counted: record and schema path. */
export const valueName = (recordType: string | undefined, recordId: string | undefined, path: string): string =>
  `${recordType ?? ''}/${recordId ?? ''} ${path}`

/**
 * Every value that an answer discloses, by record and schema path. A value counts once, even at several places.
 *
 * @param recordOf the record of an id
 */
export function disclosedIn(data: unknown, recordOf: (id: string) => RecordRef | undefined): ReadonlySet<string> {
  const values = new Set<string>()
  const record = (object: Inside, type: string, id: string): void => {
    const name = (path: string): string => valueName(type, recordOf(id)?.id, path)
    for (const [field, value] of Object.entries(object)) {
      if (NO_PHI.has(field) || value === null) continue
      const path = `${type}.${field}`
      if (EMBEDDED.has(path)) {
        for (const [leaf, held] of Object.entries(value as Inside)) if (held !== null) values.add(name(`${path}.${leaf}`))
        continue
      }
      // a reference is no value, but is followed; a connection is a value, and is followed too
      if (typeof value === 'object' && 'id' in value) visit(value)
      else {
        values.add(name(path))
        if (typeof value === 'object' && 'edges' in value) visit(value)
      }
    }
  }
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item)
    if (Array.isArray(value) || typeof value !== 'object' || value === null) return
    const object = value as Inside
    const { __typename: type, id } = object
    if (typeof type === 'string' && typeof id === 'string') record(object, type, id)
    else for (const inside of Object.values(object)) visit(inside)
  }
  visit(data)
  return values
}

/** The places where an answer differs from the answer without faults: null places, and places with another or no value. */
export function departures(
  calm: unknown,
  given: unknown,
  place: Place = [],
): { readonly place: Place; readonly isNull: boolean }[] {
  if (given === null) return calm === null ? [] : [{ place, isNull: true }]
  if (typeof given !== 'object' || typeof calm !== 'object' || calm === null)
    return given === calm ? [] : [{ place, isNull: false }]
  const names = new Set([...Object.keys(calm), ...Object.keys(given)])
  return [...names].flatMap((name) => {
    const key = Array.isArray(given) ? Number(name) : name
    if (!(name in given) || !(name in calm)) return [{ place: [...place, key], isNull: false }]
    return departures((calm as Inside)[name], (given as Inside)[name], [...place, key])
  })
}

/** Whether an error of the answer reports this place as unavailable. */
export function isExcused({ errors }: ClinicAnswer, place: Place): boolean {
  return errors.some(({ path, extensions: { code, paths } }) => {
    const places = (paths ?? [path]) as readonly Place[]
    return code === 'FIELD_UNAVAILABLE' && places.some((told) => told.join('/') === place.join('/'))
  })
}

/** Texts of an answer that are PHI and long enough for a search. */
export function secretsIn(data: unknown): string[] {
  if (typeof data === 'string') return Buffer.byteLength(data) >= 6 ? [data] : []
  if (typeof data !== 'object' || data === null) return []
  return Object.entries(data).flatMap(([name, value]) => (NO_PHI.has(name) ? [] : secretsIn(value)))
}
