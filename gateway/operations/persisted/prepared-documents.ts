import { LRUCache } from 'lru-cache'
import type { DocumentNode, GraphQLSchema } from 'graphql'
import { type DocumentRefusal, Documents } from '../documents.ts'
import { documentBytes, MAX_BYTES } from '../document-store.ts'
import { type PreparationCounter, newPreparationCounter } from './preparation-counter.ts'
import { type PreparationParts, PreparedDocument } from './prepared-document.ts'

interface PreparedDocumentsParts extends Omit<PreparationParts, 'counter'> {
  /** The schema of the execution. */
  readonly executable: GraphQLSchema
  readonly introspection: boolean
  /** Milliseconds of any clock that never goes back. */
  readonly monotonic: () => number
}

/**
 * The documents of a process, prepared for execution. They belong to one schema: another schema is another deployment.
 *
 * The memory of documents is bounded, and what was computed for a document goes with it. The texts of registered operations are
 * kept apart from free texts, so that a client that sends many texts displaces no registered operation.
 */
export class PreparedDocuments {
  readonly counter: PreparationCounter = newPreparationCounter()
  readonly #parts: PreparationParts
  readonly #documents: Documents
  readonly #prepared = new WeakMap<DocumentNode, PreparedDocument>()
  /** By the text itself: the text of a registered operation needs no hash to be found. */
  readonly #registered: LRUCache<string, PreparedDocument>

  constructor({ executable, introspection, monotonic, ...parts }: PreparedDocumentsParts) {
    const { counter } = this
    this.#parts = { ...parts, counter }
    this.#documents = new Documents({ schema: executable, introspection, monotonic, counter })
    this.#registered = new LRUCache({ maxSize: MAX_BYTES, sizeCalculation: ({ document }) => documentBytes(document) })
  }

  /** Reads a text that a client sent. */
  read(text: string): PreparedDocument | DocumentRefusal {
    const document = this.#documents.read(text)
    if ('refused' in document) return { ...document, detail: () => this.#documents.detailOf(text) }
    const known = this.#prepared.get(document)
    if (known !== undefined) return known
    const prepared = new PreparedDocument(document, text, this.#parts)
    this.#prepared.set(document, prepared)
    return prepared
  }

  /** Reads a text of the registry. */
  readRegistered(text: string): PreparedDocument | DocumentRefusal {
    const known = this.#registered.get(text)
    if (known !== undefined) return known
    const prepared = this.read(text)
    if (!('refused' in prepared)) this.#registered.set(text, prepared)
    return prepared
  }
}
