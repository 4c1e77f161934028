import {
  type ASTNode,
  type DocumentNode,
  getNamedType,
  GraphQLError,
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isValueNode,
  Kind,
  parse,
  type specifiedRules,
  TypeInfo,
  validate,
  type ValueNode,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { DATE_FORMS } from '../model/limit-details.ts'
import { invalidDateLiteral } from './date-arguments.ts'
import { MAX_BRACKETS, nestingRefusal } from './document-nesting.ts'
import { excessOfDocument, MAX_TOKENS } from './operation-limits.ts'
import { expectedText } from './value-detail.ts'

/**
 * The detail of a refused document. Reads the document again, with the suggestions of graphql: refusals are remembered, and their
 * details are not.
 */
export function documentDetail(schema: GraphQLSchema, text: string, rules: typeof specifiedRules): string | undefined {
  if (!text.isWellFormed()) return 'The text has half of a surrogate pair. Send well-formed Unicode.'
  try {
    if (nestingRefusal(text) === 'OPERATION_TOO_COSTLY')
      return `The document has more than ${MAX_BRACKETS} brackets within each other. Use fewer lists and objects within each other.`
    const document = parse(text, { maxTokens: MAX_TOKENS })
    const excess = excessOfDocument(document)
    if (excess !== undefined) return excess
    const [fault] = validate(schema, document, rules, { maxErrors: 1 })
    if (fault !== undefined) return `${withoutValues(schema, document, fault)}${placeOf(fault)}`
    const date = invalidDateLiteral(schema, document)
    if (date === undefined) return undefined
    const place = placeOf(new GraphQLError('', { nodes: date }))
    return `${placeIn(schema, document, date).name} has a text that is no date or time of the calendar. ${DATE_FORMS}${place}`
  } catch (error) {
    return error instanceof GraphQLError ? `${syntaxFault(error.message)}${placeOf(error)}` : undefined
  }
}

/** The parser quotes tokens. Only punctuation, keywords and names are no values. */
const syntaxFault = (message: string): string =>
  message
    .replace(/\b(String|BlockString|Int|Float|Comment) ".*"/s, 'a token of the kind $1')
    .replace(/^Syntax Error: (Invalid number)\b.*/s, 'Syntax Error: $1.')
    .replace(/(Invalid character escape sequence|Invalid Unicode escape sequence): .*/s, '$1.')

/** graphql quotes a literal that does not fit its type. The name of an enum value is no literal. */
function withoutValues(schema: GraphQLSchema, document: DocumentNode, { message, nodes }: GraphQLError): string {
  const literal = nodes?.find((node): node is ValueNode => isValueNode(node) && node.kind !== Kind.VARIABLE)
  if (literal === undefined || /^Field "[\w.]+" (?:of required type|is not defined by type|must be non-null)/.test(message))
    return message
  const { type, name } = placeIn(schema, document, literal)
  if (literal.kind === Kind.ENUM && isEnumType(type && getNamedType(type))) return message
  return `${name} has a value of another type. ${type ? expectedText(type) : 'Compare it with the schema.'}`
}

/** The argument or the default value that a literal is part of, with the type of the literal. */
function placeIn(
  schema: GraphQLSchema,
  document: DocumentNode,
  literal: ASTNode,
): { readonly type: GraphQLInputType | null | undefined; readonly name: string } {
  const types = new TypeInfo(schema)
  let place: ReturnType<typeof placeIn> = { type: undefined, name: 'A default value' }
  const enter = (node: ASTNode): void => {
    if (node !== literal) return
    const argument = types.getArgument()
    const type = node.kind === Kind.LIST ? types.getParentInputType() : types.getInputType()
    place = { type, name: argument ? `The argument \`${argument.name}\`` : place.name }
  }
  visit(document, visitWithTypeInfo(types, { enter }))
  return place
}

function placeOf({ locations: [first] = [] }: Pick<GraphQLError, 'locations'>): string {
  return first === undefined ? '' : ` The place is line ${first.line}, column ${first.column}.`
}
