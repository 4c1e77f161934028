/** What one request did, for the client and for tests that hold it against the promises. */
export interface DisclosureCounter {
  /** Values opened (P1). */
  fields: number
  /** Values opened to compare them with what was searched for, counted apart. */
  searched: number
  /** Sealed metadata opened, counted apart. */
  metadata: number
  /** Values given to the caller, in full or masked. */
  resolved: number
  /** Values and edges refused. */
  denied: number
  /** Values and edges that are there and could not be had. */
  unavailable: number
}

export const newDisclosureCounter = (): DisclosureCounter => ({
  fields: 0,
  searched: 0,
  metadata: 0,
  resolved: 0,
  denied: 0,
  unavailable: 0,
})
