import {
  getDirectiveValues,
  GraphQLError,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  type ConstDirectiveNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql'
import type {
  Action,
  Category,
  ConsentRule,
  Identifier,
  Normalization,
  PurposeOfUse,
  Relationship,
  Role,
  RoleKind,
  Sensitivity,
  View,
} from './policy.ts'

/** The arguments of each directive of `directives.graphql`, as graphql coerces them. */
export interface DirectiveArguments {
  record: { patient: string; source: string }
  phi: { category: Category; identifier?: Identifier | null; sensitivity?: readonly Sensitivity[] | null }
  notPhi: { because: string }
  minimumNecessary: {
    roles: readonly Role[]
    purposes: readonly PurposeOfUse[]
    relationship: Relationship
    actions: readonly Action[]
    view: View
    breakGlass: boolean
  }
  searchable: { normalize: Normalization; with?: readonly string[] | null; alone: boolean }
  computed: { from: readonly string[] }
  freeText: Readonly<Record<string, never>>
  reads: { field: string }
  mayCall: { roles: readonly Role[]; stepUp: boolean }
  role: { kind: RoleKind; mayClaim: readonly PurposeOfUse[]; mfa: boolean; seesExistence: boolean }
  consent: { rule: ConsentRule; breakGlass: boolean; ownAccess: boolean; notice?: string | null }
}

export type DirectiveName = keyof DirectiveArguments

export const DIRECTIVE_NAMES: readonly DirectiveName[] = [
  'record',
  'phi',
  'notPhi',
  'minimumNecessary',
  'searchable',
  'computed',
  'freeText',
  'reads',
  'mayCall',
  'role',
  'consent',
]

/** One directive as written in the SDL. `value` is undefined if its arguments are faulty; lint reports that separately. */
export interface Written<Name extends DirectiveName> {
  readonly node: ConstDirectiveNode
  /** From 1: `Patient.ssn#2` is the second directive of its name on that field. */
  readonly ordinal: number
  readonly value: DirectiveArguments[Name] | undefined
}

/** A part of the SDL that can have directives. */
export interface Definition {
  readonly astNode?: { readonly directives?: readonly ConstDirectiveNode[] | undefined } | null | undefined
  readonly extensionASTNodes?: readonly { readonly directives?: readonly ConstDirectiveNode[] | undefined }[] | undefined
}

export type AnyField = GraphQLField<unknown, unknown>

/**
 * Every use of one directive on one definition, in text order, including identical repeats. Each node is read by itself,
 * because an API that returns values by name drops repeats.
 */
export function readDirective<Name extends DirectiveName>(
  schema: GraphQLSchema,
  definition: Definition,
  name: Name,
): readonly Written<Name>[] {
  return directiveNodes(definition)
    .filter((node) => node.name.value === name)
    .map((node, index) => {
      const values = directiveFault(schema, node) === undefined ? argumentsOf(schema, node) : undefined
      // graphql coerced the values by the definitions in directives.graphql; DirectiveArguments repeats these as types
      return { node, ordinal: index + 1, value: values as DirectiveArguments[Name] | undefined }
    })
}

export function directiveNodes(definition: Definition): readonly ConstDirectiveNode[] {
  return [definition.astNode, ...(definition.extensionASTNodes ?? [])].flatMap((node) => node?.directives ?? [])
}

export function has(definition: Definition, name: DirectiveName): boolean {
  return directiveNodes(definition).some((node) => node.name.value === name)
}

/** The fault in a directive's arguments, if any: an unknown name, a missing argument or an invalid value. */
export function directiveFault(schema: GraphQLSchema, node: ConstDirectiveNode): string | undefined {
  const known = schema.getDirective(node.name.value)?.args ?? []
  const unknown = node.arguments?.find((argument) => !known.some(({ name }) => name === argument.name.value))
  if (unknown) return `@${node.name.value} has no argument ${unknown.name.value}.`
  try {
    argumentsOf(schema, node)
    return undefined
  } catch (error) {
    if (error instanceof GraphQLError) return error.message
    throw error
  }
}

/** The arguments of a directive, for fault messages: `@notPhi(because: String!)`. */
export function signature(schema: GraphQLSchema, name: string): string {
  const args = schema.getDirective(name)?.args ?? []
  return `@${name}(${args.map((argument) => `${argument.name}: ${String(argument.type)}`).join(', ')})`
}

export interface DefinedPlace {
  readonly path: string
  readonly definition: Definition
}

/** Yields every definition in a type that can have a directive of this project, with the path that faults print. */
export function* definedPlaces(type: GraphQLNamedType): Generator<DefinedPlace> {
  yield { path: type.name, definition: type }
  if (isEnumType(type)) {
    for (const value of type.getValues()) yield { path: `${type.name}.${value.name}`, definition: value }
  } else if (isInputObjectType(type)) {
    for (const field of Object.values(type.getFields())) yield { path: `${type.name}.${field.name}`, definition: field }
  } else if (isObjectType(type) || isInterfaceType(type)) {
    for (const field of Object.values(type.getFields())) {
      yield { path: `${type.name}.${field.name}`, definition: field }
      for (const argument of field.args) yield { path: `${type.name}.${field.name}(${argument.name}:)`, definition: argument }
    }
  }
}

function argumentsOf(schema: GraphQLSchema, node: ConstDirectiveNode): object | undefined {
  const directive = schema.getDirective(node.name.value)
  return directive ? getDirectiveValues(directive, { directives: [node] }) : undefined
}
