import {
  buildASTSchema,
  concatAST,
  GraphQLError,
  Kind,
  KnownDirectivesRule,
  KnownTypeNamesRule,
  LoneSchemaDefinitionRule,
  parse,
  PossibleTypeExtensionsRule,
  Source,
  UniqueArgumentDefinitionNamesRule,
  UniqueArgumentNamesRule,
  UniqueDirectiveNamesRule,
  UniqueDirectivesPerLocationRule,
  UniqueEnumValueNamesRule,
  UniqueFieldDefinitionNamesRule,
  UniqueInputFieldNamesRule,
  UniqueOperationTypesRule,
  UniqueTypeNamesRule,
  validateSchema,
  visit,
  visitInParallel,
  type DefinitionNode,
  type DocumentNode,
  type GraphQLSchema,
} from 'graphql'
import { readFileSync } from 'node:fs'
import { FaultList } from './fault.ts'

/** One file of SDL. Faults refer to it by `name`. */
export interface SdlSource {
  readonly name: string
  readonly sdl: string
}

/**
 * Builds one schema from all sources and `directives.graphql`.
 *
 * A repeated declaration of a type or directive is refused, never merged: a merge would silently add the grants of the second
 * declaration to the first. graphql's SDL rules run here so that faults keep file and line: `buildASTSchema` throws all errors
 * as one text without locations.
 *
 * @throws PolicyFaults for syntax errors, unknown names, repeated declarations and a schema that GraphQL itself refuses
 */
export function parseSources(sources: readonly SdlSource[]): GraphQLSchema {
  const schema = buildASTSchema(parseDocument(sources), { assumeValidSDL: true })
  refuseInvalid(schema)
  return schema
}

/**
 * Parses all sources and `directives.graphql` to one document, of which a schema can be built.
 *
 * @throws PolicyFaults for syntax errors, unknown names and repeated declarations
 */
export function parseDocument(sources: readonly SdlSource[]): DocumentNode {
  const faults = new FaultList()
  const own = { name: 'directives.graphql', sdl: readFileSync(new URL('./directives.graphql', import.meta.url), 'utf8') }
  const documents: DocumentNode[] = []
  for (const { name, sdl } of [own, ...sources]) {
    try {
      documents.push(parse(new Source(sdl, name)))
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      faults.addError(error, '', 'valid SDL.')
    }
  }
  faults.throwIfAny()

  const document = concatAST(withReplacements(documents))
  checkDefinitions(document, faults)
  faults.throwIfAny()
  return document
}

/** @throws PolicyFaults if GraphQL itself refuses the schema */
export function refuseInvalid(schema: GraphQLSchema): void {
  const faults = new FaultList()
  for (const error of validateSchema(schema)) faults.addError(error, '', 'a schema that the GraphQL specification allows.')
  faults.throwIfAny()
}

/** The enums of `directives.graphql` that a deployment can declare itself, in place of the shipped declaration. */
const REPLACEABLE: ReadonlySet<string> = new Set(['Confidentiality'])

/** The documents without the shipped declarations that a source replaces. The first document is `directives.graphql`. */
function withReplacements([shipped, ...sources]: readonly DocumentNode[]): readonly DocumentNode[] {
  if (shipped === undefined) return []
  const isReplaced = (node: DefinitionNode): boolean =>
    node.kind === Kind.ENUM_TYPE_DEFINITION && REPLACEABLE.has(node.name.value) && declared.has(node.name.value)
  const declared = new Set(
    sources.flatMap(({ definitions }) =>
      definitions.flatMap((node) => (node.kind === Kind.ENUM_TYPE_DEFINITION ? [node.name.value] : [])),
    ),
  )
  return [{ ...shipped, definitions: shipped.definitions.filter((node) => !isReplaced(node)) }, ...sources]
}

// graphql does not export its rules for the arguments of directives; read-directives.ts checks those
const RULES = [
  LoneSchemaDefinitionRule,
  UniqueOperationTypesRule,
  UniqueTypeNamesRule,
  UniqueEnumValueNamesRule,
  UniqueFieldDefinitionNamesRule,
  UniqueArgumentDefinitionNamesRule,
  UniqueDirectiveNamesRule,
  KnownTypeNamesRule,
  KnownDirectivesRule,
  UniqueDirectivesPerLocationRule,
  PossibleTypeExtensionsRule,
  UniqueArgumentNamesRule,
  UniqueInputFieldNamesRule,
] as const

function checkDefinitions(document: DocumentNode, faults: FaultList): void {
  const context = {
    hideSuggestions: false,
    getDocument: () => document,
    getSchema: () => null,
    reportError: (error: GraphQLError) => faults.addError(error, '', 'one declaration for each name, and only declared names.'),
  }
  // graphql does not export the class of the context either; SDL rules use only these members
  const rules = RULES.map((rule) => rule(context as unknown as Parameters<typeof LoneSchemaDefinitionRule>[0]))
  visit(document, visitInParallel(rules))
}
