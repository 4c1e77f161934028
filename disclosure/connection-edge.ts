import type { Loaded } from './record-loader.ts'

/** One edge of a page: a place for a record, also where the record cannot be given. */
export class ConnectionEdge {
  readonly cursor: string
  readonly loaded: Loaded
  /** Tells records apart within a request. */
  readonly record: string

  constructor(cursor: string, loaded: Loaded, record: string) {
    this.cursor = cursor
    this.loaded = loaded
    this.record = record
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
  /** From the caller's role and the type alone, never from data. No record is closed to anybody by a label yet. */
  readonly mayBeIncomplete: boolean
}

export function page(edges: readonly ConnectionEdge[], { more, after }: { more: boolean; after: boolean }): Connection {
  return {
    edges,
    pageInfo: {
      hasNextPage: more,
      hasPreviousPage: after,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    mayBeIncomplete: false,
  }
}
