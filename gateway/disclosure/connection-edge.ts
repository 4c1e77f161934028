import type { PageCursor } from './page-cursor.ts'
import type { Loaded } from './record-loader.ts'

/** One edge of a page: the place of a record, also if the record cannot be given. */
export class ConnectionEdge {
  readonly #cursor: PageCursor
  readonly loaded: Loaded
  /** Identifies the record within a request. */
  readonly record: string

  constructor(cursor: PageCursor, loaded: Loaded, record: string) {
    this.#cursor = cursor
    this.loaded = loaded
    this.record = record
  }

  /** Sealed only if the operation selects it. */
  get cursor(): string {
    return this.#cursor.text
  }
}

/** A page as the Relay cursor specification has it. */
export interface Connection {
  readonly edges: readonly ConnectionEdge[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
  /** Whether records of the type can be closed by consents at all: from the schema alone, never from data. */
  readonly mayBeIncomplete: boolean
}

export function page(
  edges: readonly ConnectionEdge[],
  { more, after, mayBeIncomplete }: { more: boolean; after: boolean; mayBeIncomplete: boolean },
): Connection {
  return {
    edges,
    pageInfo: {
      hasNextPage: more,
      hasPreviousPage: after,
      // read only if the operation selects them
      get startCursor() {
        return edges[0]?.cursor ?? null
      },
      get endCursor() {
        return edges.at(-1)?.cursor ?? null
      },
    },
    mayBeIncomplete,
  }
}
