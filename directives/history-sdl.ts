import { isInterfaceType, isObjectType, isScalarType, type GraphQLObjectType, type GraphQLSchema } from 'graphql'
import type { Coordinate, TypeName } from './coordinates.ts'
import type { PolicyTable } from './policy.ts'
import { readDirective } from './read-directives.ts'
import { STORED_SOURCE } from './record-changes.ts'
import { objectTypes } from './type-kinds.ts'

/** The generated field of a record type. */
export const HISTORY_FIELD = 'history'
/** The generated type of an entry. */
export const HISTORY_ENTRY = 'HistoryEntry'
/** The path that the records of a page of entries have below the field. */
export const ENTRY_RECORD = ['edges', 'node', 'record'] as const
/** The path to the list of changed values below the field. */
export const ENTRY_PATHS = ['edges', 'node', 'changedPaths'] as const

/** The generated types, by name. */
const TYPES: Readonly<Record<string, string>> = {
  [HISTORY_ENTRY]: `"One version of a record: who wrote it and when, and the values that it changed"
type ${HISTORY_ENTRY} {
  version: Int! @notPhi(because: "a counter that reveals nothing about the patient")
  at: DateTime! @notPhi(because: "the time of a write, given only with a version that the caller may know of")
  "The user who wrote the version. Null for an import, and for callers outside of the workforce."
  userId: ID @notPhi(because: "identifies a member of the workforce, and not the patient")
  "CREATE, UPDATE or DELETE"
  action: String! @notPhi(because: "a word of the schema about the version as a whole")
  "The values that differ from those of the entry before, as far as the caller may read them in both. The first entry has all its values."
  changedPaths: [String!]! @notPhi(because: "names of the schema. Only fields that the caller may read are named")
  "The record as it was. Each field is decided under the labels of this version and of the present one."
  record: Node
}`,
  HistoryConnection: `type HistoryConnection {
  edges: [HistoryEdge!]!
  pageInfo: PageInfo!
  mayBeIncomplete: Boolean!
}`,
  HistoryEdge: `type HistoryEdge {
  cursor: String!
  node: ${HISTORY_ENTRY}
}`,
}

export interface HistorySdl {
  /** The record types that have a history. */
  readonly records: readonly GraphQLObjectType[]
  readonly types: Readonly<Record<string, string>>
  /** The field of each record type. */
  readonly fields: readonly string[]
}

const NO_HISTORY: HistorySdl = { records: [], types: {}, fields: [] }

/**
 * The history of each record type of the gateway's own store that implements `Node`. It needs `Node`, `DateTime` and `PageInfo` as
 * the shipped schema has them; without them nothing is generated.
 */
export function historySdl(schema: GraphQLSchema): HistorySdl {
  const node = schema.getType('Node')
  if (!isInterfaceType(node) || !isScalarType(schema.getType('DateTime')) || !isObjectType(schema.getType('PageInfo')))
    return NO_HISTORY
  const records = objectTypes(schema).filter(
    (type) => readDirective(schema, type, 'record')[0]?.value?.source === STORED_SOURCE && type.getInterfaces().includes(node),
  )
  if (records.length === 0) return NO_HISTORY
  const fields = records.map(
    ({ name }) => `extend type ${name} {
  "The versions of the record, newest first. The first entry is the version in force."
  ${HISTORY_FIELD}(first: Int = 20, after: String): HistoryConnection
}`,
  )
  return { records, types: TYPES, fields }
}

/** The record types with a generated history. */
export function typesWithHistory({ records, classes }: Pick<PolicyTable, 'records' | 'classes'>): readonly TypeName[] {
  if (!classes.has(`${HISTORY_ENTRY}.record` as Coordinate)) return []
  return [...records.values()].flatMap(({ type, source }) =>
    source === STORED_SOURCE && classes.has(`${type}.${HISTORY_FIELD}` as Coordinate) ? [type] : [],
  )
}
