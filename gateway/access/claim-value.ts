type Claims = Readonly<Record<string, unknown>>

/**
 * Returns the claim at a path; undefined if there is none or it is null.
 *
 * A claim with exactly this name comes first, because names may contain dots: `https://clinic.example/roles`. Otherwise a dot
 * leads into an object: `realm_access.roles`. If two names of an object fit the start of the path, the longer one decides.
 */
export function claimAt(claims: unknown, path: string): unknown {
  if (!isObject(claims)) return undefined
  if (Object.hasOwn(claims, path)) return claims[path] ?? undefined
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const name = path.slice(0, dot)
    if (Object.hasOwn(claims, name)) return claimAt(claims[name], path.slice(dot + 1))
  }
  return undefined
}

/** Returns the texts of a claim that is a list or a single text. A text is never split. Members of other types are dropped. */
export function textsOf(claim: unknown): readonly string[] {
  return [claim].flat().filter((member) => typeof member === 'string')
}

/** Returns the only member of a list of one, because some issuers write every claim as a list. Returns other values unchanged. */
export function singleOf(claim: unknown): unknown {
  return Array.isArray(claim) && claim.length === 1 ? (claim[0] as unknown) : claim
}

export function isObject(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Looks up only own members, never those of the prototype. */
export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
