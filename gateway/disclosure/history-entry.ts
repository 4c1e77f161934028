import type { GraphQLResolveInfo } from 'graphql'
import type { PageCursor } from './page-cursor.ts'
import type { RecordView } from './record-view.ts'
import type { Recording } from './request-parts.ts'

/** One version of a record, as the answer has it. */
export class HistoryEntry {
  readonly version: number
  /** ISO 8601 in UTC with milliseconds. */
  readonly at: string
  readonly userId: string | null
  readonly action: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly changedPaths: readonly string[]
  /** Undefined if the record cannot be given in this version now. */
  readonly #record: RecordView | undefined
  readonly #key: string

  constructor(
    entry: Pick<HistoryEntry, 'version' | 'at' | 'userId' | 'action' | 'changedPaths'>,
    key: string,
    record: RecordView | undefined,
  ) {
    this.version = entry.version
    this.at = entry.at
    this.userId = entry.userId
    this.action = entry.action
    this.changedPaths = entry.changedPaths
    this.#key = key
    this.#record = record
  }

  /** The record in this version. Null with an error entry if it cannot be given now. */
  recordIn({ errors }: Pick<Recording, 'errors'>, { parentType, fieldName, path }: GraphQLResolveInfo): RecordView | null {
    if (this.#record === undefined) errors.unavailable(`${parentType.name}.${fieldName}`, this.#key, path)
    return this.#record ?? null
  }
}

/** The place of a version in a history, also if the version cannot be given. */
export class HistoryEdge {
  readonly #cursor: PageCursor
  readonly #entry: HistoryEntry | undefined
  /** Identifies the version within a request. */
  readonly #key: string

  constructor(cursor: PageCursor, entry: HistoryEntry | undefined, key: string) {
    this.#cursor = cursor
    this.#entry = entry
    this.#key = key
  }

  /** Sealed only if the operation selects it. */
  get cursor(): string {
    return this.#cursor.text
  }

  /** Called by execution. The version is in the history: it is unavailable, not absent. */
  node(
    _args: unknown,
    { scope }: { readonly scope: Pick<Recording, 'errors'> },
    { parentType, fieldName, path }: GraphQLResolveInfo,
  ): HistoryEntry | null {
    if (this.#entry === undefined) scope.errors.unavailable(`${parentType.name}.${fieldName}`, this.#key, path)
    return this.#entry ?? null
  }
}

/** A page of a history. */
export interface HistoryConnection {
  readonly edges: readonly HistoryEdge[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
  readonly mayBeIncomplete: boolean
}
