import type { GraphQLSchema } from 'graphql'
import { permitsChange } from './actions.ts'
import { type GrantLine, grantLines, withRoles } from './grant-lines.ts'
import type { Role } from './policy.ts'

/** What to do with a grant whose roles did not use it. */
export interface NarrowedGrant {
  readonly grant: GrantLine
  /** The roles that did not use the grant, in its order. */
  readonly unused: readonly Role[]
  readonly change:
    | { readonly kind: 'REPLACE'; readonly sdl: string }
    | { readonly kind: 'REMOVE' }
    /**
     * LAST_GRANT: no grant of the definition was used. Without any, a field would get the defaults of its type, which can grant more, and a
     * type would leave its fields without a grant.
     */
    | { readonly kind: 'NONE'; readonly because: 'LAST_GRANT' }
}

/**
 * The change of each grant that takes the right from roles that did not use it.
 *
 * Change grants are left as they are, because uses count reads only. A definition keeps at least one grant to read. If a narrowed grant would equal another grant of the definition, it is removed.
 *
 * @param unused the roles that did not use a grant, by rule. A rule that the schema does not have is left out
 */
export function narrowGrants(schema: GraphQLSchema, unused: ReadonlyMap<string, ReadonlySet<Role>>): readonly NarrowedGrant[] {
  // a definition needs a grant to read, whatever grants to change it has
  const reads = [...grantLines(schema).values()].filter((grant) => !permitsChange(grant))
  const definitions = Map.groupBy(reads, ({ place }) => place)
  return [...definitions.values()].flatMap((grants) => narrowedIn(grants, unused))
}

function narrowedIn(grants: readonly GrantLine[], unused: ReadonlyMap<string, ReadonlySet<Role>>): readonly NarrowedGrant[] {
  const parts = grants.map((grant) => {
    const gone = unused.get(grant.rule) ?? new Set<Role>()
    return { grant, unused: grant.roles.filter((role) => gone.has(role)), left: grant.roles.filter((role) => !gone.has(role)) }
  })
  const isEmptied = parts.every(({ left }) => left.length === 0)
  const kept = new Set(parts.filter((part) => part.unused.length === 0).map(({ grant }) => sameText(grant.sdl)))
  return parts.flatMap(({ grant, unused: roles, left }): readonly NarrowedGrant[] => {
    if (roles.length === 0) return []
    if (isEmptied) return [{ grant, unused: roles, change: { kind: 'NONE', because: 'LAST_GRANT' } }]
    const sdl = withRoles(grant, left)
    if (left.length === 0 || kept.has(sameText(sdl))) return [{ grant, unused: roles, change: { kind: 'REMOVE' } }]
    kept.add(sameText(sdl))
    return [{ grant, unused: roles, change: { kind: 'REPLACE', sdl } }]
  })
}

const sameText = (sdl: string): string => sdl.replaceAll(/\s+/g, '')
