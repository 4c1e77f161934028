import { type DocumentNode, GraphQLError, Kind, OperationTypeNode, parse } from 'graphql'
import { MAX_TEXT_BYTES } from '../../model/record-size.ts'
import { nestingRefusal } from '../document-nesting.ts'
import { MAX_TOKENS } from '../operation-limits.ts'

/** The text of an operation, in bytes of UTF-8. The rest of a sealed text holds the approval and the versions. */
const MAX_BODY_BYTES = MAX_TEXT_BYTES / 2

/** The reason that a text is not the text of a registered operation. */
export interface BodyFault {
  readonly reason: 'BODY_TOO_LARGE' | 'NOT_PARSED' | 'NO_OPERATION' | 'SEVERAL_OPERATIONS' | 'ANONYMOUS' | 'SUBSCRIPTION'
  readonly locations?: readonly { readonly line: number; readonly column: number }[]
}

/** The only operation of a text. */
export interface BodyOperation {
  readonly name: string
  readonly type: 'query' | 'mutation'
}

/** Reads the text of an operation, without a schema. It has exactly one operation, with a name, which is no subscription. */
export function readBody(text: string): BodyOperation | BodyFault {
  if (Buffer.byteLength(text) > MAX_BODY_BYTES) return { reason: 'BODY_TOO_LARGE' }
  let document: DocumentNode
  try {
    if (!text.isWellFormed() || nestingRefusal(text) !== undefined) return { reason: 'NOT_PARSED' }
    document = parse(text, { maxTokens: MAX_TOKENS, noLocation: true })
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    return { reason: 'NOT_PARSED', ...(error.locations !== undefined && { locations: error.locations }) }
  }
  const [operation, second] = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  if (operation === undefined) return { reason: 'NO_OPERATION' }
  if (second !== undefined) return { reason: 'SEVERAL_OPERATIONS' }
  if (operation.operation === OperationTypeNode.SUBSCRIPTION) return { reason: 'SUBSCRIPTION' }
  if (operation.name === undefined) return { reason: 'ANONYMOUS' }
  return { name: operation.name.value, type: operation.operation === OperationTypeNode.QUERY ? 'query' : 'mutation' }
}
