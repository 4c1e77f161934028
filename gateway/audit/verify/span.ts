/** The items that the notary sealed in one step: those at the positions `start` to `end - 1` of a tenant's tree. */
export interface Span {
  readonly start: number
  readonly end: number
  /** Seconds since the epoch. */
  readonly time: number
  /** By name. Each continues where its last span ended. */
  readonly lanes: readonly { readonly lane: string; readonly first: number; readonly last: number }[]
}
