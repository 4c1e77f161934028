import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type DocumentNode, type GraphQLSchema, Kind, type OperationDefinitionNode } from 'graphql'
import type { PolicyTable } from '../../../directives/policy.ts'
import type { Contract } from '../../model/contract.ts'
import { excessOf } from '../contracts/reach.ts'
import { type Footprint, footprint, largestFootprint } from '../footprint.ts'
import { documentHash } from './document-hash.ts'
import { FootprintMemo } from './footprint-memo.ts'
import type { PreparationCounter } from './preparation-counter.ts'
import { isUrlSafe } from './url-variables.ts'

/** Contracts of one document at most. Clients can share a document, and a contract has a new digest after each change. */
const MAX_CONTRACTS = 16

/** The schema that documents are measured against. */
export interface PreparationParts {
  /** The compiled schema; its AST nodes hold `@reads`. */
  readonly schema: GraphQLSchema
  readonly policy: PolicyTable
  readonly counter: PreparationCounter
}

/** A validated document, with everything that follows from it and the schema alone. Each part is computed once. */
export class PreparedDocument {
  readonly document: DocumentNode
  readonly text: string
  /** The operation, if the document has exactly one. */
  readonly operation: OperationDefinitionNode | undefined
  readonly #parts: PreparationParts
  readonly #footprints = new Map<string | undefined, FootprintMemo>()
  readonly #admitted = new LRUCache<string, boolean>({ max: MAX_CONTRACTS })
  #textHash: string | undefined
  #canonicalHash: string | undefined
  #largest: Footprint | undefined
  #isUrlSafe: boolean | undefined

  constructor(document: DocumentNode, text: string, parts: PreparationParts) {
    this.document = document
    this.text = text
    this.operation = onlyOperation(document)
    this.#parts = parts
  }

  /** SHA-256 of the text, hex. */
  get textHash(): string {
    this.#textHash ??= this.#hashed(() => createHash('sha256').update(this.text).digest('hex'))
    return this.#textHash
  }

  /** See `documentHash`. */
  get canonicalHash(): string {
    this.#canonicalHash ??= this.#hashed(() => documentHash(this.document))
    return this.#canonicalHash
  }

  /** Whether a URL may hold the variables: see `isUrlSafe`. */
  get isUrlSafe(): boolean {
    this.#isUrlSafe ??= isUrlSafe(this.#parts.schema, this.document)
    return this.#isUrlSafe
  }

  /**
   * See `footprint`.
   *
   * @param name an operation of the document
   * @throws OperationUnknown
   */
  footprint(name: string | undefined, variables: Readonly<Record<string, unknown>>): Footprint {
    const { schema, policy, counter } = this.#parts
    // the names are those of the document, so that the map is bounded
    const memo = this.#footprints.get(name) ?? new FootprintMemo(this.document, name)
    const computed = memo.of(variables, () => {
      counter.footprints++
      return footprint(schema, policy, this.document, name, variables)
    })
    this.#footprints.set(name, memo)
    return computed
  }

  /** Whether the contract admits everything that the operation can read: see `excessOf`. False for several operations. */
  isWithin(contract: Contract): boolean {
    const known = this.#admitted.get(contract.digest)
    if (known !== undefined) return known
    const { schema, policy, counter } = this.#parts
    if (this.operation === undefined) return false
    if (this.#largest === undefined) {
      counter.footprints++
      this.#largest = largestFootprint(schema, policy, this.document)
    }
    const isWithin = excessOf(this.#largest, policy, contract).length === 0
    this.#admitted.set(contract.digest, isWithin)
    return isWithin
  }

  #hashed(compute: () => string): string {
    this.#parts.counter.hashes++
    return compute()
  }
}

function onlyOperation({ definitions }: DocumentNode): OperationDefinitionNode | undefined {
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  return operations.length === 1 ? operations[0] : undefined
}
