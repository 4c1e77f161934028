import { type DocumentNode, GraphQLError, Kind, type SelectionSetNode, type ValidationRule } from 'graphql'
import { OperationTooCostly } from '../model/failures.ts'

// What a document may look like, whoever sends it. How many values it may ask for is another question: `gateway/operations/cost.ts`.

/** Documents are read to this many tokens; more is refused before it is parsed. */
export const MAX_TOKENS = 4_000
/** Fields inside of each other; the introspection that tools send has fifteen. */
const DEEPEST = 16
/** Of one operation, at its top. */
const MAX_ROOTS = 20
/** Of the whole document. */
const MAX_ALIASES = 100
const MAX_DIRECTIVES = 100
/** Of one operation, each fragment counted wherever it is spread. */
const MAX_FIELDS = 4_000

/**
 * Refuses a document whose shape costs more than any screen needs. One rule among graphql's own, so that it comes before
 * execution; it looks at each part of the document once.
 */
export const withinLimits: ValidationRule = (context) => ({
  Document(document) {
    if (isWithinLimits(document)) return
    const originalError = new OperationTooCostly()
    context.reportError(new GraphQLError(originalError.message, { originalError }))
  },
})

function isWithinLimits(document: DocumentNode): boolean {
  const shapes = new Shapes(document)
  for (const part of document.definitions) {
    if (part.kind !== Kind.OPERATION_DEFINITION && part.kind !== Kind.FRAGMENT_DEFINITION) continue
    shapes.directives += part.directives?.length ?? 0
    if (part.kind === Kind.FRAGMENT_DEFINITION) {
      shapes.ofFragment(part.name.value)
      continue
    }
    for (const variable of part.variableDefinitions ?? []) shapes.directives += variable.directives?.length ?? 0
    const { depth, roots, fields } = shapes.of(part.selectionSet)
    if (depth > DEEPEST || roots > MAX_ROOTS || fields > MAX_FIELDS) return false
  }
  return shapes.aliases <= MAX_ALIASES && shapes.directives <= MAX_DIRECTIVES
}

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
  readonly #known = new Map<string, Shape>()

  constructor({ definitions }: DocumentNode) {
    const fragments = definitions.filter((part) => part.kind === Kind.FRAGMENT_DEFINITION)
    this.#fragments = new Map(fragments.map(({ name, selectionSet }) => [name.value, selectionSet]))
  }

  of(set: SelectionSetNode): Shape {
    let { depth, roots, fields } = NOTHING
    for (const selection of set.selections) {
      this.directives += selection.directives?.length ?? 0
      let inner: Shape
      if (selection.kind === Kind.FIELD) {
        if (selection.alias !== undefined) this.aliases++
        const below = selection.selectionSet ? this.of(selection.selectionSet) : NOTHING
        inner = { depth: below.depth + 1, roots: 1, fields: below.fields + 1 }
      } else {
        inner = selection.kind === Kind.FRAGMENT_SPREAD ? this.ofFragment(selection.name.value) : this.of(selection.selectionSet)
      }
      depth = Math.max(depth, inner.depth)
      roots += inner.roots
      fields += inner.fields
    }
    return { depth, roots, fields }
  }

  /** Found out once, so that fragments within fragments cost no more than they are long. One in itself is refused by graphql's own rule. */
  ofFragment(name: string): Shape {
    const known = this.#known.get(name)
    const set = this.#fragments.get(name)
    if (known !== undefined || set === undefined) return known ?? NOTHING
    this.#known.set(name, NOTHING)
    const shape = this.of(set)
    this.#known.set(name, shape)
    return shape
  }
}
