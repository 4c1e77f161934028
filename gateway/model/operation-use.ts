import type { Instant } from './ids.ts'

/** The requests for one registered operation of one client, as the audit has them. */
export interface OperationUse {
  readonly client: string
  /** SHA-256 of the operation's text, hex. */
  readonly operationHash: string
  readonly requests: number
  /** The time of the latest request. */
  readonly last: Instant
}

/** The uses of all registered operations of a tenant. */
export interface OperationUses {
  readonly uses: readonly OperationUse[]
  /** The audit is read up to this time. Later requests are not counted yet. Undefined if nothing was read. */
  readonly until: Instant | undefined
}
