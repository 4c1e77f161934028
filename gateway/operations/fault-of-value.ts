import { GraphQLError, isValueNode } from 'graphql'

/** Whether graphql refused a value of the client in the middle of the execution. Such an error names the value in the document. */
export function isFaultOfValue(cause: unknown): boolean {
  if (!(cause instanceof GraphQLError) || cause.originalError !== undefined || cause.nodes === undefined) return false
  return cause.nodes.length > 0 && cause.nodes.every(isValueNode)
}
