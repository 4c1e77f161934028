/** The prefix with which GraphQL over HTTP marks an id that is a SHA-256. An id with the prefix is the same id as without. */
const PREFIX = 'sha256:'
const MAX_ID = 256
/** The form of an id, as messages and docs/persisted-operations.md state it. */
export const OPERATION_ID_FORM = `1 to ${MAX_ID} letters, digits and the characters _.~:+/=-`
/** Ids of Apollo and Relay are hashes in hex. A build can create ids of its own. */
const FORM = new RegExp(`^[\\w.~:+/=-]{1,${MAX_ID}}$`)

/**
 * The id of a registered operation, as a client sends it or a manifest lists it, without the prefix `sha256:`. Undefined for a text
 * that is no id.
 *
 * @source https://graphql.github.io/graphql-over-http/draft/, appendix "Persisted Documents"
 */
export function operationId(text: string): string | undefined {
  const id = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text
  return FORM.test(id) ? id : undefined
}
