import { getOperationAST, GraphQLError, parse, validate, visit, Kind } from 'graphql'
import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import { mostValues } from './cost.ts'
import { MAX_TOKENS, withinLimits } from './operation-limits.ts'
import { Failure, type FailureCode } from '../model/failures.ts'
import type { PolicyTable } from '../../directives/policy.ts'

/** An operation in a text argument cannot be read or exceeds a limit. The error contains no part of the text (P8). */
export class OperationRefused extends Failure {
  override readonly name = 'OperationRefused'
  readonly code: FailureCode
  constructor(code: FailureCode, options?: ErrorOptions) {
    super('The given operation is refused.', options)
    this.code = code
  }
}

/** The limits for an operation to explain. */
interface Bounds {
  readonly policy: PolicyTable
  /** The maximum number of values that the caller may request in one operation. */
  readonly most: number
}

/**
 * Reads an operation that will not be executed. The limits of an executed operation apply: on its shape, and on the number of
 * values that it could open. Its variables are unknown. If a variable sets a page size, the page counts as one record, so that an
 * operation is refused here only if it would be refused with any variables.
 *
 * @throws OperationRefused with the code of the refusal that the operation itself would get
 */
export function readOperation(
  schema: GraphQLSchema,
  text: string,
  name: string | undefined,
  { policy, most }: Bounds,
): { readonly document: DocumentNode; readonly operation: OperationDefinitionNode } {
  let document: DocumentNode
  try {
    document = parse(text, { maxTokens: MAX_TOKENS })
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    // the parser's error quotes the text, so it is not a cause of this one
    throw new OperationRefused('GRAPHQL_PARSE_FAILED')
  }
  // the shape first, because some of graphql's own rules take much longer for broad and deep documents
  if (validate(schema, document, [withinLimits]).length > 0) throw new OperationRefused('OPERATION_TOO_COSTLY')
  if (validate(schema, document, undefined, { maxErrors: 1 }).length > 0) throw new OperationRefused('GRAPHQL_VALIDATION_FAILED')
  const operation = getOperationAST(document, name)
  if (!operation || !schema.getRootType(operation.operation)) throw new OperationRefused('OPERATION_RESOLUTION_FAILURE')
  const asked = { document, name, variables: smallestPages(operation) }
  if (mostValues(schema, policy, asked, most) > most) throw new OperationRefused('OPERATION_TOO_COSTLY')
  return { document, operation }
}

/** Sets each variable without a default to 1: the smallest page size, and not a boolean that could decide a condition. */
const smallestPages = ({ variableDefinitions = [] }: OperationDefinitionNode): Record<string, number> =>
  Object.fromEntries(variableDefinitions.flatMap(({ variable, defaultValue }) => (defaultValue ? [] : [[variable.name.value, 1]])))

/** The assumptions about an operation with unknown variables, as fixed texts for the caller. */
export function assumptions(document: DocumentNode): string[] {
  const assumed = new Set<string>()
  visit(document, {
    Directive: {
      enter(node) {
        if (node.arguments?.some(({ value }) => value.kind === Kind.VARIABLE) === true) {
          assumed.add('A field or fragment with @skip or @include is planned if the variable of the condition has no default.')
        }
      },
    },
    Field: {
      enter(node) {
        if (node.arguments?.some(({ value }) => value.kind === Kind.VARIABLE) === true) {
          assumed.add('An argument with a variable counts as given. Every id counts as the id of the named patient.')
        }
      },
    },
  })
  return [...assumed]
}
