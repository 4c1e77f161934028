import { isObjectType, type GraphQLSchema } from 'graphql'
import { permitsChange } from './actions.ts'
import { type GrantLine, grantLines, withRoles } from './grant-lines.ts'
import type { Role } from './policy.ts'
import { has } from './read-directives.ts'

/** What to do with a grant whose roles did not use it. */
export interface NarrowedGrant {
  readonly grant: GrantLine
  /** The roles that did not use the grant, in its order. */
  readonly unused: readonly Role[]
  readonly change:
    | { readonly kind: 'REPLACE'; readonly sdl: string }
    /** `endsChanges`: it is the last grant to change of its definition. */
    | { readonly kind: 'REMOVE'; readonly endsChanges: boolean }
    /**
     * - LAST_GRANT: no grant of the definition was used. Without any, a field would get the defaults of its type, which can grant more, and
     *   a type would leave its fields without a grant.
     * - RETRACTION: without it, only some values of a record would have a grant of DELETE.
     */
    | { readonly kind: 'NONE'; readonly because: 'LAST_GRANT' | 'RETRACTION' }
}

/**
 * The change of each grant that takes the right from roles that did not use it.
 *
 * A definition keeps at least one grant to read. It keeps one grant to change if defaults of a type would take effect instead.
 * If a narrowed grant would equal another grant of the definition, it is removed.
 *
 * @param unused the roles that did not use a grant, by rule. A rule that the schema does not have is left out
 */
export function narrowGrants(schema: GraphQLSchema, unused: ReadonlyMap<string, ReadonlySet<Role>>): readonly NarrowedGrant[] {
  const lines = [...grantLines(schema).values()]
  const changes = lines.filter(permitsChange)
  const definitions = Map.groupBy(lines, (grant) => `${grant.place} ${permitsChange(grant) ? 'change' : 'read'}`)
  return [...definitions.values()].flatMap((grants) =>
    narrowedIn(grants, unused, {
      canEnd: grants.every((grant) => permitsChange(grant) && !hasDefaults(schema, grant.place, changes)),
      keepsRetraction: grants.some((grant) => retracts(grant) && !isRetractedAlone(schema, grant.place, changes)),
    }),
  )
}

const retracts = ({ actions }: GrantLine): boolean => actions.includes('DELETE')

/** Whether defaults to change can take effect without the own grants of a place. An embedded type can be part of any record. */
function hasDefaults(schema: GraphQLSchema, place: string, changes: readonly GrantLine[]): boolean {
  const [owner = ''] = place.split('.')
  if (!isRecord(schema, owner)) return true
  return owner !== place && changes.some((grant) => grant.place === owner)
}

/** Whether all grants of DELETE of a record are its defaults. Then none of its values has one without them. */
function isRetractedAlone(schema: GraphQLSchema, place: string, changes: readonly GrantLine[]): boolean {
  const others = changes.filter((grant) => grant.place !== place && retracts(grant))
  const owners = others.map((grant) => grant.place.split('.')[0] ?? '')
  return isRecord(schema, place) && owners.every((owner) => owner !== place && isRecord(schema, owner))
}

function isRecord(schema: GraphQLSchema, name: string): boolean {
  const type = schema.getType(name)
  return isObjectType(type) && has(type, 'record')
}

interface Limits {
  /** Whether the definition needs no grant of its kind. */
  readonly canEnd: boolean
  /** Whether the definition needs a grant of DELETE. */
  readonly keepsRetraction: boolean
}

function narrowedIn(
  grants: readonly GrantLine[],
  unused: ReadonlyMap<string, ReadonlySet<Role>>,
  { canEnd, keepsRetraction }: Limits,
): readonly NarrowedGrant[] {
  const parts = grants.map((grant) => {
    const gone = unused.get(grant.rule) ?? new Set<Role>()
    return { grant, unused: grant.roles.filter((role) => gone.has(role)), left: grant.roles.filter((role) => !gone.has(role)) }
  })
  const isEmptied = parts.every(({ left }) => left.length === 0)
  const losesRetraction = keepsRetraction && parts.every(({ grant, left }) => left.length === 0 || !retracts(grant))
  const kept = new Set(parts.filter((part) => part.unused.length === 0).map(({ grant }) => sameText(grant.sdl)))
  return parts.flatMap(({ grant, unused: roles, left }): readonly NarrowedGrant[] => {
    if (roles.length === 0) return []
    if (isEmptied && !canEnd) return [{ grant, unused: roles, change: { kind: 'NONE', because: 'LAST_GRANT' } }]
    if (losesRetraction && retracts(grant)) return [{ grant, unused: roles, change: { kind: 'NONE', because: 'RETRACTION' } }]
    const sdl = withRoles(grant, left)
    if (left.length === 0 || kept.has(sameText(sdl)))
      return [{ grant, unused: roles, change: { kind: 'REMOVE', endsChanges: isEmptied } }]
    kept.add(sameText(sdl))
    return [{ grant, unused: roles, change: { kind: 'REPLACE', sdl } }]
  })
}

const sameText = (sdl: string): string => sdl.replaceAll(/\s+/g, '')
