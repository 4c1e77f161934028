import { getNamedType, isLeafType, isObjectType, type GraphQLNamedType, type GraphQLSchema } from 'graphql'
import type { SchemaPath } from './coordinates.ts'
import type { FreeTextInside } from './policy.ts'
import type { PhiSite } from './classify.ts'
import type { FaultList } from './fault.ts'
import { freeTextPaths } from './free-text-paths.ts'
import { markedPlaces, has, readDirective } from './read-directives.ts'
import type { TypeKinds } from './type-kinds.ts'

/**
 * Checks that every `@freeText` is on a text inside a composite. A field of a record needs no such
 * mark: a free-text field is closed to research if it has no grant for researchers.
 */
export function lintFreeText(schema: GraphQLSchema, kinds: TypeKinds, faults: FaultList): void {
  for (const { type, path, definition } of markedPlaces(schema)) {
    const [written] = readDirective(schema, definition, 'freeText')
    if (written === undefined) continue
    const field = isObjectType(type) && kinds.get(type) === 'COMPOSITE' ? type.getFields()[path.split('.')[1] ?? ''] : undefined
    if (field === undefined || !isLeafType(getNamedType(field.type))) {
      faults.add(
        written.node,
        path,
        '@freeText is not on a text inside a composite.',
        '@freeText on the member that holds the text. For a field of a record, no grant for a role of kind RESEARCH.',
      )
    }
  }
}

/** The free-text members inside each value. Values without free text are left out. */
export function readFreeText(sites: readonly PhiSite[]): ReadonlyMap<SchemaPath, FreeTextInside> {
  const known = new Map<string, FreeTextInside>()
  const inside = sites.flatMap(({ path, class: kind, field }) => {
    const found = kind === 'VALUE' ? insideOf(getNamedType(field.type), known) : undefined
    return found !== undefined && freeTextPaths(found).length > 0 ? [[path, found] as const] : []
  })
  return new Map(inside)
}

function insideOf(type: GraphQLNamedType, known: Map<string, FreeTextInside>): FreeTextInside | undefined {
  if (!isObjectType(type)) return undefined
  const ready = known.get(type.name)
  if (ready !== undefined) return ready
  const found = { texts: new Set<string>(), holders: new Map<string, FreeTextInside>() }
  // stored before its members are walked, because a member can have the same type
  known.set(type.name, found)
  for (const field of Object.values(type.getFields())) {
    if (has(field, 'freeText')) found.texts.add(field.name)
    const inner = insideOf(getNamedType(field.type), known)
    if (inner !== undefined) found.holders.set(field.name, inner)
  }
  return found
}
