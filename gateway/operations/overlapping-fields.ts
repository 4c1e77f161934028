import { type DocumentNode, type FieldNode, Kind, type SelectionNode, type SelectionSetNode } from 'graphql'

/** Pairs of selections that validation may compare. 10,000 pairs take it up to 20 ms. */
const MAX_PAIRS = 10_000
/** Selections to visit in all operations together, each fragment counted wherever it is spread. */
const MAX_VISITED = 20_000

/**
 * Whether validation compares few pairs of fields. Validation compares all fields of one response name at one place of the answer,
 * and all fragments that are spread there. Its time grows with the square of their number.
 *
 * @param document parsed, and not validated: its fragments may contain themselves
 * @param maxDepth levels of nested fields to visit; only a fragment that contains itself has more
 * @source https://spec.graphql.org/October2021/#sec-Field-Selection-Merging
 */
export function hasFewPairs(document: DocumentNode, maxDepth: number): boolean {
  const places = new Places(document)
  const sets = (kind: Kind.OPERATION_DEFINITION | Kind.FRAGMENT_DEFINITION): SelectionSetNode[] =>
    document.definitions.flatMap((part) => (part.kind === kind && 'selectionSet' in part ? part.selectionSet : []))
  for (const set of sets(Kind.OPERATION_DEFINITION)) places.visit([set], maxDepth)
  // validation visits a fragment without a spread, too
  for (const set of sets(Kind.FRAGMENT_DEFINITION)) if (!places.entered.has(set)) places.visit([set], maxDepth)
  return places.areFew
}

class Places {
  readonly entered = new Set<SelectionSetNode>()
  readonly #fragments: ReadonlyMap<string, SelectionSetNode>
  #pairs = 0
  #visited = 0

  constructor({ definitions }: DocumentNode) {
    const fragments = definitions.filter((part) => part.kind === Kind.FRAGMENT_DEFINITION)
    this.#fragments = new Map(fragments.map(({ name, selectionSet }) => [name.value, selectionSet]))
  }

  get areFew(): boolean {
    return this.#pairs <= MAX_PAIRS && this.#visited <= MAX_VISITED
  }

  /** Visits the selections at one place of the answer, and those below it. */
  visit(sets: readonly SelectionSetNode[], depth: number): void {
    const byName = new Map<string, FieldNode[]>()
    const here = new Set<SelectionSetNode>()
    let spreads = 0
    const left: SelectionNode[] = sets.flatMap(({ selections }) => selections)
    for (let selection = left.pop(); selection !== undefined; selection = left.pop()) {
      if (++this.#visited > MAX_VISITED) return
      if (selection.kind === Kind.FIELD) {
        const name = selection.alias?.value ?? selection.name.value
        const known = byName.get(name)
        if (known === undefined) byName.set(name, [selection])
        else known.push(selection)
        continue
      }
      if (selection.kind === Kind.FRAGMENT_SPREAD) spreads++
      const set = selection.kind === Kind.FRAGMENT_SPREAD ? this.#fragments.get(selection.name.value) : selection.selectionSet
      if (set === undefined || here.has(set)) continue
      here.add(set)
      this.entered.add(set)
      left.push(...set.selections)
    }
    this.#pairs += pairsOf(spreads)
    for (const nodes of byName.values()) {
      this.#pairs += pairsOf(nodes.length)
      if (!this.areFew) return
      const below = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
      if (below.length > 0 && depth > 1) this.visit(below, depth - 1)
    }
  }
}

const pairsOf = (count: number): number => (count * (count - 1)) / 2
