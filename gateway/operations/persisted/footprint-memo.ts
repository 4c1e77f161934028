import { LRUCache } from 'lru-cache'
import { type DocumentNode, getOperationAST, Kind, visit } from 'graphql'
import type { Footprint } from '../footprint.ts'
import { withDefaults } from '../footprint.ts'

type Variables = Readonly<Record<string, unknown>>

/** Footprints of one operation at most. An operation has more only if it has many conditions. */
const MAX_FOOTPRINTS = 32

/**
 * Footprints of one operation. A footprint depends on two facts about the variables: the values of those in `@skip` and `@include`,
 * and which arguments are given. Two requests with the same facts share a footprint.
 */
export class FootprintMemo {
  readonly #document: DocumentNode
  readonly #name: string | undefined
  readonly #inConditions: readonly string[]
  readonly #inArguments: readonly string[]
  readonly #footprints = new LRUCache<string, Footprint>({ max: MAX_FOOTPRINTS })

  constructor(document: DocumentNode, name: string | undefined) {
    this.#document = document
    this.#name = name
    const conditions = new Set<string>()
    const given = new Set<string>()
    visit(document, {
      Directive: {
        enter({ arguments: args = [] }) {
          for (const { value } of args) if (value.kind === Kind.VARIABLE) conditions.add(value.name.value)
          return false
        },
      },
      Argument: {
        enter({ value }) {
          if (value.kind === Kind.VARIABLE) given.add(value.name.value)
        },
      },
    })
    this.#inConditions = [...conditions]
    this.#inArguments = [...given]
  }

  /** @param compute computes a footprint that is not known yet */
  of(variables: Variables, compute: () => Footprint): Footprint {
    const key = this.#keyOf(variables)
    const known = this.#footprints.get(key)
    if (known !== undefined) return known
    const computed = compute()
    this.#footprints.set(key, computed)
    return computed
  }

  #keyOf(variables: Variables): string {
    const operation = getOperationAST(this.#document, this.#name)
    const filled = operation ? withDefaults(operation, variables) : variables
    const conditions = this.#inConditions.map((name) => (filled[name] === true ? 't' : filled[name] === false ? 'f' : '?'))
    const given = this.#inArguments.map((name) => ((filled[name] ?? undefined) === undefined ? '-' : '+'))
    return [...conditions, ...given].join('')
  }
}
