import { type DocumentNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql'
import { hasFewPairs } from './overlapping-fields.ts'

// Limits on the shape of a document, for any caller. For the limit on the number of values, see `gateway/operations/cost.ts`.

/** The parser stops after this number of tokens and refuses the document. */
export const MAX_TOKENS = 4_000
/** Levels of nested fields. The introspection query of tools has fifteen. */
const MAX_DEPTH = 16
/** Operations in the whole document. Some rules of validation visit a fragment once for each operation. */
const MAX_OPERATIONS = 50
/** Fields at the top of one operation. */
const MAX_ROOTS = 20
/** Aliases in the whole document. */
const MAX_ALIASES = 100
/** Directives in the whole document. */
const MAX_DIRECTIVES = 100
/** Fields in one operation. Each spread of a fragment counts its fields again. */
const MAX_FIELDS = 4_000

/**
 * Whether a document has no larger shape than a user interface needs. Checked before validation: its time grows with the square of
 * some of these numbers.
 *
 * @param document parsed, and not validated
 */
export const isWithinLimits = (document: DocumentNode): boolean => excessOfDocument(document) === undefined

/** The first limit that a document exceeds, as a sentence; undefined within all limits. */
export function excessOfDocument(document: DocumentNode): string | undefined {
  const fragments = document.definitions.filter((part) => part.kind === Kind.FRAGMENT_DEFINITION)
  const shapes = new Shapes(fragments)
  let operations = 0
  for (const part of document.definitions) {
    if (part.kind !== Kind.OPERATION_DEFINITION && part.kind !== Kind.FRAGMENT_DEFINITION) continue
    shapes.directives += part.directives?.length ?? 0
    if (part.kind === Kind.FRAGMENT_DEFINITION) {
      shapes.measureFragment(part.name.value)
      continue
    }
    operations++
    for (const variable of part.variableDefinitions ?? []) shapes.directives += variable.directives?.length ?? 0
    const { depth, roots, fields } = shapes.measure(part.selectionSet)
    if (depth > MAX_DEPTH) return excessOf('levels of nested fields', depth, MAX_DEPTH)
    if (roots > MAX_ROOTS) return excessOf('root fields in one operation', roots, MAX_ROOTS)
    if (fields > MAX_FIELDS) return excessOf('fields in one operation, with fragments', fields, MAX_FIELDS)
  }
  if (operations > MAX_OPERATIONS) return excessOf('operations', operations, MAX_OPERATIONS)
  if (shapes.aliases > MAX_ALIASES) return excessOf('aliases', shapes.aliases, MAX_ALIASES)
  if (shapes.directives > MAX_DIRECTIVES) return excessOf('directives', shapes.directives, MAX_DIRECTIVES)
  return hasFewPairs(document, MAX_DEPTH) ? undefined : MANY_PAIRS
}

const excessOf = (things: string, measured: number, most: number): string =>
  `The document has ${measured} ${things}; the maximum is ${most}. Divide it into several requests.`

const MANY_PAIRS =
  'The document selects one response name, or spreads fragments, too often at one place of the answer. Select each field once at each place.'

interface Shape {
  readonly depth: number
  /** Fields at the top. */
  readonly roots: number
  /** Fields at any depth. */
  readonly fields: number
}

const NOTHING: Shape = { depth: 0, roots: 0, fields: 0 }

class Shapes {
  aliases = 0
  directives = 0
  readonly #fragments: ReadonlyMap<string, SelectionSetNode>
  readonly #measured = new Map<string, Shape>()

  constructor(fragments: readonly FragmentDefinitionNode[]) {
    this.#fragments = new Map(fragments.map(({ name, selectionSet }) => [name.value, selectionSet]))
  }

  measure(set: SelectionSetNode): Shape {
    let { depth, roots, fields } = NOTHING
    for (const selection of set.selections) {
      this.directives += selection.directives?.length ?? 0
      let inner: Shape
      if (selection.kind === Kind.FIELD) {
        if (selection.alias !== undefined) this.aliases++
        const below = selection.selectionSet ? this.measure(selection.selectionSet) : NOTHING
        inner = { depth: below.depth + 1, roots: 1, fields: below.fields + 1 }
      } else {
        inner =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? this.measureFragment(selection.name.value)
            : this.measure(selection.selectionSet)
      }
      depth = Math.max(depth, inner.depth)
      roots += inner.roots
      fields += inner.fields
    }
    return { depth, roots, fields }
  }

  /**
   * Measures each fragment once, so that the cost of nested fragments grows only with their length. A rule of graphql refuses a
   * fragment that contains itself.
   */
  measureFragment(name: string): Shape {
    const measured = this.#measured.get(name)
    const set = this.#fragments.get(name)
    if (measured !== undefined || set === undefined) return measured ?? NOTHING
    this.#measured.set(name, NOTHING)
    const shape = this.measure(set)
    this.#measured.set(name, shape)
    return shape
  }
}
