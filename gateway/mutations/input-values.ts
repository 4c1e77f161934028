import type { SchemaPath } from '../../directives/coordinates.ts'
import type { WritePolicy } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'

/** The values and references that a client gives for a record. Null clears; what is left out is absent. */
export interface GivenValues {
  readonly values: ReadonlyMap<SchemaPath, Json | null>
  /** The public ids of other records of the patient, by edge. */
  readonly references: ReadonlyMap<string, string | null>
}

type Input = Readonly<Record<string, unknown>>

/**
 * Reads an input of a generated mutation by the paths of the schema. GraphQL has checked its shape: every member is one of the input type.
 *
 * An embedded object is a part of its record, so each of its members is a value of its own: `{address: {city: null}}` clears the city,
 * and `{address: null}` clears each member of the address that the caller names in no other way.
 */
export function givenValues(
  input: Input,
  { paths, references, type }: WritePolicy,
  writable: (path: SchemaPath) => boolean,
): GivenValues {
  const values = new Map<SchemaPath, Json | null>()
  for (const path of paths) {
    if (!writable(path)) continue
    const given = memberAt(input, path.slice(type.length + 1).split('.'))
    if (given !== undefined) values.set(path, given === null ? null : withoutNulls(given as Json))
  }
  const named = new Map<string, string | null>()
  for (const [member, { edge }] of references) {
    const id = input[member]
    if (typeof id === 'string' || id === null) named.set(edge, id)
  }
  return { values, references: named }
}

/** The member of an input; null if the input clears it or an object around it, undefined if it is left out. */
function memberAt(input: Input, names: readonly string[]): unknown {
  let at: unknown = input
  for (const name of names) {
    if (at === null) return null
    if (typeof at !== 'object' || !Object.hasOwn(at, name)) return undefined
    at = (at as Input)[name]
  }
  return at
}

/** A composite without its null members: absent and null are one value. A list keeps its length. */
function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) => (one === null ? [] : [[name, withoutNulls(one as Json)] as const])),
  )
}
