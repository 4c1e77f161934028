import {
  coerceInputValue,
  getNamedType,
  type GraphQLError,
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInputType,
  isListType,
  isNonNullType,
  type NamedTypeNode,
  type OperationDefinitionNode,
  print,
  typeFromAST,
} from 'graphql'
import { DATE_FORMS } from '../model/limit-details.ts'
import { hasInvalidDate } from './date-arguments.ts'

// Details of variables and arguments that graphql refuses. graphql's own messages have the value, these do not.

type Variables = Readonly<Record<string, unknown>>

/** The messages of graphql about a value that have only names and types. */
const WITHOUT_VALUE =
  /^(?:Expected non-nullable type "[^"]*" not to be null|Expected type "[^"]*" to be an object|Field "\w+" of required type "[^"]*" was not provided|Field "\w+" is not defined by type "\w+"|Exactly one key must be specified)/

/**
 * The detail of the first variable that does not fit its type, or of an argument that has no value.
 *
 * @param error of graphql, about an argument
 */
export function valueDetail(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  variables: Variables,
  error?: GraphQLError,
): string | undefined {
  for (const { variable, type: declared, defaultValue } of operation.variableDefinitions ?? []) {
    const name = variable.name.value
    const type = typeFromAST(schema, declared as NamedTypeNode)
    if (!isInputType(type)) continue
    const isGiven = Object.hasOwn(variables, name)
    if (!isGiven) {
      if (defaultValue === undefined && isNonNullType(type))
        return `The variable \`$${name}\` of the type \`${print(declared)}\` is missing. Add it to \`variables\`.`
      continue
    }
    const fault = faultOf(variables[name], type)
    if (fault !== undefined) return `The variable \`$${name}\` of the type \`${print(declared)}\` is not valid${fault}`
  }
  return error && argumentDetail(error.message)
}

/** graphql ends such a message with the value. */
function argumentDetail(message: string): string {
  const [, before] = /^(Argument "\w+" of type "[^"]*") has invalid value/.exec(message) ?? []
  if (before !== undefined) return `${before} has an invalid value. Send a value of this type.`
  return /^Argument "\w+" of (?:required|non-null) type "[^"]*"[ \w,"$]*\.$/.test(message)
    ? message
    : 'An argument has a value that its type does not have. Compare the arguments with the schema.'
}

function faultOf(value: unknown, type: GraphQLInputType): string | undefined {
  let fault: string | undefined
  coerceInputValue(value, type, (path, _value, { message }) => {
    if (fault !== undefined) return
    const at = path.length === 0 ? '' : `, at \`${path.join('.')}\``
    const found = typeAt(type, path)
    fault = `${at}: ${WITHOUT_VALUE.test(message) ? message : expectedText(found)}`
  })
  return fault
}

/** The type that a value must have. */
export function expectedText(type: GraphQLInputType): string {
  const named = getNamedType(type)
  const values = isEnumType(named) ? named.getValues().map(({ name }) => name) : []
  const choice = isEnumType(named) ? ` The values of \`${named.name}\` are ${values.join(', ')}.` : ''
  return `Expected a value of the type \`${String(type)}\`.${choice}`
}

/** The type at a path within a value: names of input fields, and positions of lists. */
function typeAt(type: GraphQLInputType, path: readonly (string | number)[]): GraphQLInputType {
  const nullable = isNonNullType(type) ? type.ofType : type
  const [key, ...rest] = path
  if (key === undefined) return type
  if (isListType(nullable)) return typeAt(nullable.ofType, typeof key === 'number' ? rest : path)
  const field = isInputObjectType(nullable) ? nullable.getFields()[key] : undefined
  return field === undefined ? type : typeAt(field.type, rest)
}

/** The detail of a variable that is not a date. */
export function dateDetail(schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Variables): string {
  const [named] = (operation.variableDefinitions ?? []).filter((definition) =>
    hasInvalidDate(schema, { ...operation, variableDefinitions: [definition] }, variables),
  )
  return `The variable \`$${named?.variable.name.value ?? ''}\` has a text that is no date or time of the calendar. ${DATE_FORMS}`
}
