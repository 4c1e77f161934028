import { type DocumentNode, Kind } from 'graphql'

/** The detail of an operation that cannot be determined: the operations of the document. */
export function operationDetail({ definitions }: DocumentNode, name: string | null | undefined): string {
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  if (operations.length === 0) return 'The document has no operation. Add a query or a mutation.'
  const chosen = operations.filter((operation) => name === undefined || name === null || operation.name?.value === name)
  const [only] = chosen
  if (chosen.length === 1 && only !== undefined)
    return `The schema has no operations of the type \`${only.operation}\`. Send a query or a mutation.`
  const names = operations.flatMap((operation) => (operation.name ? `\`${operation.name.value}\`` : []))
  const given =
    name === undefined || name === null
      ? 'The document has several operations, and `operationName` is missing.'
      : '`operationName` names no operation of the document.'
  return `${given} ${names.length === 0 ? 'Leave `operationName` out.' : `Set \`operationName\` to one of: ${names.join(', ')}.`}`
}
