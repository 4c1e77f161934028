import {
  buildASTSchema,
  concatAST,
  GraphQLError,
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
  type DocumentNode,
  type GraphQLSchema,
} from 'graphql'
import { readFileSync } from 'node:fs'
import { FaultList } from './fault.ts'

/** One file of SDL; `name` is what faults call it. */
export interface SdlSource {
  readonly name: string
  readonly sdl: string
}

/**
 * Builds one schema of all sources and the directives' own file.
 *
 * A type or directive that is declared twice is refused, never merged: a merge would add the second one's grants to the
 * first in silence. Faults keep file and line, which is why graphql's SDL rules run here: `buildASTSchema` alone throws
 * them as one text without places.
 *
 * @throws PolicyFaults for syntax, unknown names, repeated declarations and a schema that GraphQL itself refuses
 */
export function parseSources(sources: readonly SdlSource[]): GraphQLSchema {
  const faults = new FaultList()
  const own = { name: 'directives.graphql', sdl: readFileSync(new URL('./directives.graphql', import.meta.url), 'utf8') }
  const documents: DocumentNode[] = []
  for (const { name, sdl } of [own, ...sources]) {
    try {
      documents.push(parse(new Source(sdl, name)))
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error
      faults.addError(error, '', 'SDL that parses.')
    }
  }
  faults.throwIfAny()

  const document = concatAST(documents)
  checkDefinitions(document, faults)
  faults.throwIfAny()

  const schema = buildASTSchema(document, { assumeValidSDL: true })
  for (const error of validateSchema(schema)) faults.addError(error, '', 'a schema that the GraphQL specification allows.')
  faults.throwIfAny()
  return schema
}

// the rules about a directive's arguments are not exported by graphql; read-directives.ts checks those
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
    reportError: (error: GraphQLError) => faults.addError(error, '', 'each name declared once, and only names that are declared.'),
  }
  // the class is not exported either; this is all of it that SDL rules use
  const rules = RULES.map((rule) => rule(context as unknown as Parameters<typeof LoneSchemaDefinitionRule>[0]))
  visit(document, visitInParallel(rules))
}
