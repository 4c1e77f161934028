import type { FreeTextInside } from './policy.ts'

/**
 * All free-text members, sorted: `code.text`, `text`. A recursive type is entered once.
 *
 * @param enclosing for the recursion only
 */
export function freeTextPaths(inside: FreeTextInside, enclosing: readonly FreeTextInside[] = []): readonly string[] {
  if (enclosing.includes(inside)) return []
  const within = [...inside.holders].flatMap(([name, holder]) =>
    freeTextPaths(holder, [...enclosing, inside]).map((path) => `${name}.${path}`),
  )
  return [...inside.texts, ...within].toSorted()
}
