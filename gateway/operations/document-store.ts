import { LRUCache } from 'lru-cache'
import type { DocumentNode } from 'graphql'

/**
 * What a document takes in memory, in bytes, for each token of it and each character of its text: measured with `graphql` 16 on
 * Node 24, 280 for a token of a usual document and 510 where every token is a field. That is thirty times its text and more.
 */
const TOKEN_BYTES = 500
const CHARACTER_BYTES = 2
/** A hundred documents of 300 tokens. Apollo's own store counts 30 MB of JSON, which are 130 MB in memory. */
const MAX_BYTES = 16_000_000

/**
 * Documents that were parsed and found valid, by their hash; those that were not asked for longest go first. A client that
 * writes ids into its documents sends another one each time, and the memory of all of them is bounded.
 */
export class DocumentStore {
  readonly #documents: LRUCache<string, DocumentNode>

  /** @param most bytes that all documents together may take, by the estimate of `documentBytes` */
  constructor(most = MAX_BYTES) {
    this.#documents = new LRUCache({ maxSize: most, sizeCalculation: documentBytes })
  }

  /** How many it holds. */
  get size(): number {
    return this.#documents.size
  }

  get(hash: string): Promise<DocumentNode | undefined> {
    return Promise.resolve(this.#documents.get(hash))
  }

  /** One that is larger than the bound is not kept. */
  set(hash: string, document: DocumentNode): Promise<void> {
    this.#documents.set(hash, document)
    return Promise.resolve()
  }

  delete(hash: string): Promise<boolean> {
    return Promise.resolve(this.#documents.delete(hash))
  }
}

/** An estimate of what a document takes in memory, in bytes; never 0. */
export function documentBytes({ loc }: DocumentNode): number {
  // without places there are no tokens to count; nothing is kept that cannot be measured
  if (loc === undefined) return Number.MAX_SAFE_INTEGER
  let tokens = 1
  for (let token = loc.startToken.next; token !== null; token = token.next) tokens++
  return tokens * TOKEN_BYTES + loc.source.body.length * CHARACTER_BYTES
}
