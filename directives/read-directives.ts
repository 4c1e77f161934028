import {
  getDirectiveValues,
  GraphQLError,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  type ASTNode,
  type ConstDirectiveNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql'
import type {
  Action,
  Category,
  ComparisonPart,
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
  workforceComparison: { as: ComparisonPart }
  computed: { from: readonly string[] }
  freeText: Readonly<Record<string, never>>
  reads: { field: string }
  mayCall: { roles: readonly Role[]; stepUp: boolean }
  role: { kind: RoleKind; mayClaim: readonly PurposeOfUse[]; mfa: boolean; seesExistence: boolean }
  consent: { rule: ConsentRule; breakGlass: boolean; ownAccess: boolean; notice?: string | null }
  opensTo: { relationships: readonly Relationship[]; breakGlass: boolean }
}

export type DirectiveName = keyof DirectiveArguments

export const DIRECTIVE_NAMES: readonly DirectiveName[] = [
  'record',
  'phi',
  'notPhi',
  'minimumNecessary',
  'searchable',
  'workforceComparison',
  'computed',
  'freeText',
  'reads',
  'mayCall',
  'role',
  'consent',
  'opensTo',
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
  const nodes = directiveNodes(definition).filter((node) => node.name.value === name)
  // graphql coerced the values by the definitions in directives.graphql; DirectiveArguments repeats these as types
  return nodes.map((node, index) => ({
    node,
    ordinal: index + 1,
    value: coerced(schema, node).values as DirectiveArguments[Name] | undefined,
  }))
}

export function directiveNodes({ astNode, extensionASTNodes = [] }: Definition): readonly ConstDirectiveNode[] {
  const own = astNode?.directives ?? []
  return extensionASTNodes.length === 0 ? own : [...own, ...extensionASTNodes.flatMap(({ directives = [] }) => directives)]
}

export function has(definition: Definition, name: DirectiveName): boolean {
  return directiveNodes(definition).some((node) => node.name.value === name)
}

/** The fault in a directive's arguments, if any: an unknown name, a missing argument or an invalid value. */
export function directiveFault(schema: GraphQLSchema, node: ConstDirectiveNode): string | undefined {
  return coerced(schema, node).fault
}

/** The arguments of a directive, for fault messages: `@notPhi(because: String!)`. */
export function signature(schema: GraphQLSchema, name: string): string {
  const args = schema.getDirective(name)?.args ?? []
  return `@${name}(${args.map((argument) => `${argument.name}: ${String(argument.type)}`).join(', ')})`
}

export interface DefinedPlace {
  readonly type: GraphQLNamedType
  readonly path: string
  readonly definition: Definition
}

/** Yields every definition in a type that can have a directive of this project, with the path that faults print. */
export function* definedPlaces(type: GraphQLNamedType): Generator<DefinedPlace> {
  yield { type, path: type.name, definition: type }
  if (isEnumType(type)) {
    for (const value of type.getValues()) yield { type, path: `${type.name}.${value.name}`, definition: value }
  } else if (isInputObjectType(type)) {
    for (const field of Object.values(type.getFields())) yield { type, path: `${type.name}.${field.name}`, definition: field }
  } else if (isObjectType(type) || isInterfaceType(type)) {
    for (const field of Object.values(type.getFields())) {
      yield { type, path: `${type.name}.${field.name}`, definition: field }
      for (const argument of field.args) yield { type, path: `${type.name}.${field.name}(${argument.name}:)`, definition: argument }
    }
  }
}

/**
 * The places of a schema that have any directive, in the order of the schema. Each check of a compilation reads them, and most places have
 * none.
 */
export function markedPlaces(schema: GraphQLSchema): readonly DefinedPlace[] {
  const known = MARKED.get(schema)
  if (known !== undefined) return known
  const found = Object.values(schema.getTypeMap()).flatMap((type) =>
    [...definedPlaces(type)].filter(({ definition }) => directiveNodes(definition).length > 0),
  )
  MARKED.set(schema, found)
  return found
}

const MARKED = new WeakMap<GraphQLSchema, readonly DefinedPlace[]>()

/** The arguments of a directive, or their fault. Neither of them if the schema does not define the directive. */
interface Coerced {
  readonly values?: object
  readonly fault?: string
}

/**
 * The coerced directives of one compilation, by definition and text. A compilation parses the definition anew, so that no other schema has the
 * same node. Most grants repeat the text of another grant, and coercion is the most costly part of a compilation.
 */
const COERCED = new WeakMap<ASTNode, Map<string, Coerced>>()

function coerced(schema: GraphQLSchema, node: ConstDirectiveNode): Coerced {
  const definition = schema.getDirective(node.name.value)?.astNode
  if (!definition || !node.loc) return coerce(schema, node)
  const known = COERCED.get(definition) ?? new Map<string, Coerced>()
  COERCED.set(definition, known)
  const text = node.loc.source.body.slice(node.loc.start, node.loc.end)
  const result = known.get(text) ?? coerce(schema, node)
  known.set(text, result)
  return result
}

function coerce(schema: GraphQLSchema, node: ConstDirectiveNode): Coerced {
  const directive = schema.getDirective(node.name.value)
  const unknown = node.arguments?.find((argument) => !directive?.args.some(({ name }) => name === argument.name.value))
  if (unknown) return { fault: `@${node.name.value} has no argument ${unknown.name.value}.` }
  if (!directive) return {}
  try {
    return { values: getDirectiveValues(directive, { directives: [node] }) ?? {} }
  } catch (error) {
    if (error instanceof GraphQLError) return { fault: error.message }
    throw error
  }
}
