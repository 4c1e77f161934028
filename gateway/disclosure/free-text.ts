import type { FreeTextInside } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'

type JsonObject = { readonly [name: string]: Json }

/** A value without its free text. Total: a part that does not match the schema is not known to be safe, and is left out. */
export function withoutFreeText(inside: FreeTextInside, value: Json): Json {
  if (value === null) return null
  if (Array.isArray(value)) return (value as readonly Json[]).map((item) => withoutFreeText(inside, item))
  if (typeof value !== 'object') return null
  return Object.fromEntries(
    Object.entries(value as JsonObject).flatMap(([name, member]): [string, Json][] => {
      if (inside.texts.has(name)) return []
      const holder = inside.holders.get(name)
      return [[name, holder === undefined ? member : withoutFreeText(holder, member)]]
    }),
  )
}
