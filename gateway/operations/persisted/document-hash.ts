import { createHash } from 'node:crypto'
import { type DocumentNode, print, visit } from 'graphql'

/**
 * The canonical hash of a document: equal for texts that differ only in white space, comments, descriptions, or the order of their
 * definitions.
 *
 * @returns SHA-256 of the printed definitions, sorted by their text; 64 hex digits
 */
export function documentHash(document: DocumentNode): string {
  const bare = visit(document, {
    enter(node) {
      return 'description' in node ? { ...node, description: undefined } : undefined
    },
  })
  const printed = bare.definitions.map((definition) => print(definition)).toSorted(compareCodeUnits)
  return createHash('sha256').update(printed.join('\n\n')).digest('hex')
}

/** By code unit, as every other implementation sorts: a locale changes the order. */
const compareCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
