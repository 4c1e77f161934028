/** Counts the work of one request, for the client and for the tests of the promises. */
export interface DisclosureCounter {
  /** Values opened (P1). */
  fields: number
  /** Values opened to compare them with a searched value, counted apart. */
  searched: number
  /** Sealed metadata opened, counted apart. */
  metadata: number
  /** Values given to the caller, in full or masked. */
  resolved: number
  /** Values and edges denied. */
  denied: number
  /** Values and edges that exist and could not be given. */
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
