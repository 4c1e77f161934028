import { compilePolicy, type CompiledPolicy } from '../../directives/compile.ts'
import { PolicyFaults, type Fault } from '../../directives/fault.ts'
import type { KnownRelationships } from '../../directives/lint-grants.ts'

/** A small valid schema. `fields` go to the record `Person`, from line 3 on, and `more` goes beside it. */
export function sdl(fields: string, more = ''): string {
  return `type Query { person(id: ID!): Person }
type Person @record(patient: "id") {
${fields}
}
${more}`
}

export const GRANT = '@minimumNecessary(roles: [PHYSICIAN])'
export const PHI = `@phi(category: CLINICAL) ${GRANT}`
export const NOT_PHI = '@notPhi(because: "for a test")'
/** A Relay connection to records of the named type. */
export const connection = (name: string): string => `
type ${name}Connection { edges: [${name}Edge!]! pageInfo: PageInfo! mayBeIncomplete: Boolean! }
type ${name}Edge { cursor: String! node: ${name} }
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }`

export function compile(text: string, relationships: KnownRelationships = 'unchecked'): CompiledPolicy {
  return compilePolicy([{ name: 'test.graphql', sdl: text }], { relationships })
}

/** The faults of a schema; none if it compiles. */
export function faultsOf(text: string, relationships: KnownRelationships = 'unchecked'): readonly Fault[] {
  try {
    compile(text, relationships)
    return []
  } catch (error) {
    if (error instanceof PolicyFaults) return error.faults
    throw error
  }
}
