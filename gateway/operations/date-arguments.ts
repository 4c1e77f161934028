import {
  type ASTNode,
  type DocumentNode,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isInputObjectType,
  isInputType,
  isListType,
  Kind,
  type NamedTypeNode,
  type OperationDefinitionNode,
  TypeInfo,
  typeFromAST,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { dateSpan, partialDateSpan } from '../model/date-span.ts'

// A wrong date in a filter must not become an empty list: a reader takes such a list for a fact.

/** Whether a text is a value of a scalar, by the scalar's name. Another scalar has no form that is known here. */
const FORMS: Readonly<Partial<Record<string, (text: string) => boolean>>> = {
  PartialDate: (text) => partialDateSpan(text) !== undefined,
  DateTime: (text) => dateSpan(text) !== undefined,
}

/**
 * The first literal of a document that is not a date where the schema expects one, in any operation and fragment. Null is legal.
 *
 * @param document validated against the schema
 */
export function invalidDateLiteral(schema: GraphQLSchema, document: DocumentNode): ASTNode | undefined {
  const types = new TypeInfo(schema)
  let invalid: ASTNode | undefined
  const check = (node: ASTNode & { readonly value?: unknown }): void => {
    const form = formOf(types.getInputType())
    if (form !== undefined && !(node.kind === Kind.STRING && form(node.value))) invalid ??= node
  }
  const visitor = {
    [Kind.STRING]: check,
    [Kind.INT]: check,
    [Kind.FLOAT]: check,
    [Kind.BOOLEAN]: check,
    [Kind.ENUM]: check,
    [Kind.OBJECT]: check,
  }
  visit(document, visitWithTypeInfo(types, visitor))
  return invalid
}

/**
 * Whether a variable is not a date where its type is one. A missing variable and null are legal.
 *
 * @param variables as the client sent them
 */
export function hasInvalidDate(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): boolean {
  return variableDefinitions.some(({ variable, type }) => {
    const name = variable.name.value
    const given: unknown = Object.hasOwn(variables, name) ? variables[name] : undefined
    // graphql has a signature for each kind of type node, and one implementation
    const declared = typeFromAST(schema, type as NamedTypeNode)
    return isInputType(declared) && isInvalid(given, declared)
  })
}

function isInvalid(value: unknown, type: GraphQLInputType): boolean {
  if (value === undefined || value === null) return false
  const nullable = getNullableType(type)
  if (isListType(nullable))
    return (Array.isArray(value) ? value : [value]).some((item: unknown) => isInvalid(item, nullable.ofType))
  if (isInputObjectType(nullable)) {
    if (typeof value !== 'object') return false
    const given = value as Readonly<Record<string, unknown>>
    return Object.values(nullable.getFields()).some(
      (field) => Object.hasOwn(given, field.name) && isInvalid(given[field.name], field.type),
    )
  }
  const form = formOf(nullable)
  return form !== undefined && !(typeof value === 'string' && form(value))
}

function formOf(type: GraphQLInputType | null | undefined): ((text: string) => boolean) | undefined {
  const name = type ? getNamedType(type).name : ''
  return Object.hasOwn(FORMS, name) ? FORMS[name] : undefined
}
