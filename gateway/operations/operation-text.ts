import { getOperationAST, Kind, specifiedRules, visit } from 'graphql'
import type { DocumentNode, GraphQLSchema, OperationDefinitionNode } from 'graphql'
import { type Cost, exceeds } from './cost.ts'
import { costDetail } from './cost-detail.ts'
import { documentDetail } from './document-detail.ts'
import { readDocument } from './documents.ts'
import { operationDetail } from './operation-detail.ts'
import { Failure, type FailureCode, type FailureOptions } from '../model/failures.ts'
import type { PolicyTable } from '../../directives/policy.ts'

/** An operation in a text argument cannot be read or exceeds a limit. The error contains no part of the text (P8). */
export class OperationRefused extends Failure {
  override readonly name = 'OperationRefused'
  readonly code: FailureCode
  constructor(code: FailureCode, options?: FailureOptions) {
    super('The given operation is refused.', options)
    this.code = code
  }
}

/** The limits for an operation to explain. */
interface Bounds {
  readonly policy: PolicyTable
  /** The cost that one operation of the caller may have. */
  readonly most: Cost
}

/**
 * Reads an operation that will not be executed. The limits of an executed operation apply: on its shape, and on the number of
 * its values and places. Its variables are unknown. If a variable sets a page size, the page counts as one record, so that an
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
  const document = readDocument(schema, text)
  if ('refused' in document)
    throw new OperationRefused(document.refused, { detail: () => documentDetail(schema, text, specifiedRules) })
  const operation = getOperationAST(document, name)
  if (!operation || !schema.getRootType(operation.operation))
    throw new OperationRefused('OPERATION_RESOLUTION_FAILURE', { detail: () => operationDetail(document, name) })
  const asked = { document, name, variables: smallestPages(operation) }
  if (exceeds(schema, policy, asked, most))
    throw new OperationRefused('OPERATION_TOO_COSTLY', { detail: () => costDetail(schema, policy, asked, most) })
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
