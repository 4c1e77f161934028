import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from 'graphql'
import type { FailureDetail } from '../model/failure-detail.ts'
import type { FailureCode } from '../model/failures.ts'
import { invalidDateLiteral } from './date-arguments.ts'
import { documentDetail } from './document-detail.ts'
import { nestingRefusal } from './document-nesting.ts'
import { DocumentStore } from './document-store.ts'
import { isWithinLimits, MAX_TOKENS } from './operation-limits.ts'
import { newPreparationCounter, type PreparationCounter } from './persisted/preparation-counter.ts'

/** The refusal of a document. It follows from the text and the schema alone. Only its detail holds a part of the text (P8). */
export interface DocumentRefusal {
  readonly refused: Extract<
    FailureCode,
    'GRAPHQL_PARSE_FAILED' | 'OPERATION_TOO_COSTLY' | 'GRAPHQL_VALIDATION_FAILED' | 'BAD_USER_INPUT'
  >
  /** The places of the first fault in the text. */
  readonly locations?: NonNullable<GraphQLError['locations']>
  readonly detail?: FailureDetail
}

/** How long a refusal is remembered. */
const REMEMBERED_MS = 60_000
/** Refusals to remember. The oldest is dropped first. */
const MAX_REMEMBERED = 1_000
/** Places of one fault to report. A fault of one field in many fragments has a place in each. */
const MAX_LOCATIONS = 20

interface DocumentParts {
  readonly schema: GraphQLSchema
  readonly introspection: boolean
  /** Milliseconds of any clock that never goes back. */
  readonly monotonic: () => number
  readonly counter?: PreparationCounter
}

/**
 * Reads the documents of requests. The limits on their shape are checked before validation, because the time of validation grows
 * faster than the text. Both results are remembered by the hash of the text: the caller does not change them.
 */
export class Documents {
  readonly #schema: GraphQLSchema
  readonly #rules: typeof specifiedRules
  readonly #counter: PreparationCounter
  readonly #read = new DocumentStore()
  readonly #refused: LRUCache<string, DocumentRefusal>

  constructor({ schema, introspection, monotonic, counter = newPreparationCounter() }: DocumentParts) {
    this.#counter = counter
    this.#schema = schema
    this.#rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule]
    const perf = { now: monotonic }
    this.#refused = new LRUCache({ max: MAX_REMEMBERED, ttl: REMEMBERED_MS, ttlResolution: 0, perf })
  }

  /** The number of remembered refusals. */
  get refusals(): number {
    return this.#refused.size
  }

  /** The detail of a refusal. It is built from the text when it is shown, because a remembered refusal holds no part of it. */
  detailOf(text: string): string | undefined {
    return documentDetail(this.#schema, text, this.#rules)
  }

  read(text: string): DocumentNode | DocumentRefusal {
    // UTF-8 has no half of a surrogate pair: the hash of such a text is also that of another one
    if (!text.isWellFormed()) return { refused: 'GRAPHQL_PARSE_FAILED' }
    this.#counter.hashes++
    const hash = createHash('sha256').update(text).digest('base64url')
    const known = this.#read.get(hash) ?? this.#refused.get(hash)
    if (known !== undefined) return known
    const document = readDocument(this.#schema, text, this.#rules, this.#counter)
    if ('refused' in document) this.#refused.set(hash, document)
    else this.#read.set(hash, document)
    return document
  }
}

/** Parses a document, checks the limits on its shape, validates it, then checks its dates. The first fault ends the reading. */
export function readDocument(
  schema: GraphQLSchema,
  text: string,
  rules = specifiedRules,
  counter = newPreparationCounter(),
): DocumentNode | DocumentRefusal {
  let document: DocumentNode
  try {
    const refused = nestingRefusal(text)
    if (refused !== undefined) return { refused }
    counter.parses++
    document = parse(text, { maxTokens: MAX_TOKENS })
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    return { refused: 'GRAPHQL_PARSE_FAILED', ...locationsOf(error) }
  }
  if (!isWithinLimits(document)) return { refused: 'OPERATION_TOO_COSTLY' }
  counter.validations++
  // no client reads the message, so graphql need not search for similar names
  const [fault] = validate(schema, document, rules, { maxErrors: 1, hideSuggestions: true })
  if (fault !== undefined) return { refused: 'GRAPHQL_VALIDATION_FAILED', ...locationsOf(fault) }
  const date = invalidDateLiteral(schema, document)
  return date === undefined ? document : { refused: 'BAD_USER_INPUT', ...locationsOf(new GraphQLError('', { nodes: date })) }
}

function locationsOf({ locations }: GraphQLError): Pick<DocumentRefusal, 'locations'> {
  return locations === undefined ? {} : { locations: locations.slice(0, MAX_LOCATIONS) }
}
