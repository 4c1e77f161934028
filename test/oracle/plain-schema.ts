import { readFileSync } from 'node:fs'
import {
  buildASTSchema,
  concatAST,
  type DocumentNode,
  extendSchema,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
  Kind,
  parse,
  visit,
} from 'graphql'
import { clinicTypeDefs } from '../../schema/clinic.ts'

/** The types and fields of the shipped clinic without any rules: the possible queries, but no grants. */
export interface PlainSchema {
  readonly schema: GraphQLSchema
  /** Types with records as objects, which ids name. */
  readonly recordTypes: readonly string[]
  /** The field that a filter reads, by `Patient.observations(since:)`. */
  readonly filters: ReadonlyMap<string, string>
}

const VOCABULARY = new URL('../../directives/directives.graphql', import.meta.url)

/** @param changes the generated mutations, from the schema without them */
export function plainSchema(changes: (schema: GraphQLSchema) => DocumentNode | undefined = () => undefined): PlainSchema {
  const document = concatAST(clinicTypeDefs().map(({ sdl }) => parse(sdl)))
  // inputs name enums of the vocabulary: roles, purposes, sensitivities
  const enums = parse(readFileSync(VOCABULARY, 'utf8')).definitions.filter(({ kind }) => kind === Kind.ENUM_TYPE_DEFINITION)
  const whole = concatAST([document, { kind: Kind.DOCUMENT, definitions: enums }])
  const read = buildASTSchema(visit(whole, { Directive: () => null }))
  const written = changes(read)
  const schema = written === undefined ? read : extendSchema(read, written)
  const node = schema.getType('Node')
  const recordTypes = isInterfaceType(node) ? schema.getPossibleTypes(node).map(({ name }) => name) : []
  return { schema, recordTypes: recordTypes.toSorted(), filters: filtersOf(document) }
}

/** The fields of an object or an interface; none for other types. */
export function fieldsOf(schema: GraphQLSchema, type: string): Readonly<Record<string, GraphQLField<unknown, unknown>>> {
  const found = schema.getType(type)
  return isObjectType(found) || isInterfaceType(found) ? found.getFields() : {}
}

/** `ObservationConnection` leads to `Observation`; undefined for a type that is no connection. */
export function connectionTarget({ name }: GraphQLNamedType): string | undefined {
  return name.endsWith('Connection') ? name.slice(0, -'Connection'.length) : undefined
}

/** The field of a filter is part of the data model, and only the argument names it. */
function filtersOf(document: DocumentNode): ReadonlyMap<string, string> {
  const filters = new Map<string, string>()
  for (const type of document.definitions) {
    if (type.kind !== Kind.OBJECT_TYPE_DEFINITION) continue
    for (const field of type.fields ?? []) {
      for (const argument of field.arguments ?? []) {
        const reads = argument.directives?.find(({ name }) => name.value === 'reads')?.arguments?.[0]?.value
        if (reads?.kind !== Kind.STRING) continue
        filters.set(`${type.name.value}.${field.name.value}(${argument.name.value}:)`, reads.value)
      }
    }
  }
  return filters
}
