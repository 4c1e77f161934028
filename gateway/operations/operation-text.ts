import { getOperationAST, GraphQLError, parse, validate, visit, Kind } from 'graphql'
import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import { mostValues } from './cost.ts'
import { MAX_TOKENS, withinLimits } from './operation-limits.ts'
import { Failure, type FailureCode } from '../model/failures.ts'
import type { PolicyTable } from '../../directives/policy.ts'

/** An operation that is given as a text cannot be read, or is one too many. Quotes nothing of it (P8). */
export class OperationRefused extends Failure {
  override readonly name = 'OperationRefused'
  readonly code: FailureCode
  constructor(code: FailureCode, options?: ErrorOptions) {
    super('The operation that was given is refused.', options)
    this.code = code
  }
}

/** What an operation may be at most that its caller asks to have explained. */
interface Bounds {
  readonly policy: PolicyTable
  /** Values that the caller may ask for in one operation. */
  readonly most: number
}

/**
 * Reads an operation that is not to be executed, under the limits of one that is: on its shape, and on the values that it could
 * have opened. Its variables are not known: a page whose size one of them says counts as a page of one, so that what is refused
 * would be refused whatever they are.
 *
 * @throws OperationRefused with the code that the operation itself would be refused with
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
    // the parser's error quotes the text: it goes no further
    throw new OperationRefused('GRAPHQL_PARSE_FAILED')
  }
  // the shape first: of the rules of graphql itself, some take much longer for what is broad and deep
  if (validate(schema, document, [withinLimits]).length > 0) throw new OperationRefused('OPERATION_TOO_COSTLY')
  if (validate(schema, document, undefined, { maxErrors: 1 }).length > 0) throw new OperationRefused('GRAPHQL_VALIDATION_FAILED')
  const operation = getOperationAST(document, name)
  if (!operation || !schema.getRootType(operation.operation)) throw new OperationRefused('OPERATION_RESOLUTION_FAILURE')
  const asked = { document, name, variables: smallestPages(operation) }
  if (mostValues(schema, policy, asked, most) > most) throw new OperationRefused('OPERATION_TOO_COSTLY')
  return { document, operation }
}

/** A one for each variable without a default: no smaller number is a size, and no condition is told by it. */
const smallestPages = ({ variableDefinitions = [] }: OperationDefinitionNode): Record<string, number> =>
  Object.fromEntries(variableDefinitions.flatMap(({ variable, defaultValue }) => (defaultValue ? [] : [[variable.name.value, 1]])))

/** What has to be taken for granted of an operation whose variables are not known. */
export function assumptions(document: DocumentNode): string[] {
  const assumed = new Set<string>()
  visit(document, {
    Directive: {
      enter(node) {
        if (node.arguments?.some(({ value }) => value.kind === Kind.VARIABLE) === true) {
          assumed.add('A condition of @skip or @include whose variable has no default counts as met: its fields are planned.')
        }
      },
    },
    Field: {
      enter(node) {
        if (node.arguments?.some(({ value }) => value.kind === Kind.VARIABLE) === true) {
          assumed.add('An argument that a variable fills counts as given, and every id as that of the patient who is named.')
        }
      },
    },
  })
  return [...assumed]
}
