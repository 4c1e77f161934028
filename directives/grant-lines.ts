import { type ConstDirectiveNode, type GraphQLSchema, Kind, type Source } from 'graphql'
import type { Action, Role } from './policy.ts'
import { markedPlaces, readDirective } from './read-directives.ts'

/** One `@minimumNecessary` as it is written in a file of the schema. */
export interface GrantLine {
  /** `Patient.ssn#2` for a grant of a field, `Patient#1` for a default of a type. */
  readonly rule: string
  /** `Patient.ssn`, or `Patient`. */
  readonly place: string
  readonly roles: readonly Role[]
  readonly actions: readonly Action[]
  readonly node: ConstDirectiveNode
  readonly source: Source
  /** From 1. */
  readonly line: number
  /** The text of the directive. */
  readonly sdl: string
}

/** All grants of a schema that was compiled from SDL, in text order of each definition, by rule. */
export function grantLines(schema: GraphQLSchema): ReadonlyMap<string, GrantLine> {
  const lines = new Map<string, GrantLine>()
  for (const { path: place, definition } of markedPlaces(schema))
    for (const { node, ordinal, value } of readDirective(schema, definition, 'minimumNecessary')) {
      if (node.loc === undefined || value === undefined) continue
      const { source, start, end, startToken } = node.loc
      const rule = `${place}#${ordinal}`
      const sdl = source.body.slice(start, end)
      lines.set(rule, { rule, place, roles: value.roles, actions: value.actions, node, source, line: startToken.line, sdl })
    }
  return lines
}

/** The text of a grant with these roles only. The rest of the text stays as it is. */
export function withRoles({ node, source, sdl }: GrantLine, roles: readonly Role[]): string {
  const list = node.arguments?.find(({ name }) => name.value === 'roles')?.value
  if (list?.kind !== Kind.LIST || list.loc === undefined || node.loc === undefined) return sdl
  const { start, end } = node.loc
  return `${source.body.slice(start, list.loc.start)}[${roles.join(', ')}]${source.body.slice(list.loc.end, end)}`
}
