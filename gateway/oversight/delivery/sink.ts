import type { Batch } from './batch.ts'

/** The result of a call to a sink. */
export interface Sent {
  /** The number of batches, from the first one on, that the sink acknowledged. Batches after them may have arrived too. */
  readonly acknowledged: number
  /** The last failure, if not all batches were acknowledged. */
  readonly cause?: unknown
}

/** The service that takes batches for a receiver. What it acknowledges, it has stored durably. */
export interface Sink {
  /**
   * Sends batches, and again those that are not acknowledged. Never throws.
   *
   * @param tenant of all batches
   * @param until no attempt begins after this time, in milliseconds since the epoch
   */
  send(tenant: string, batches: readonly Batch[], until: number): Promise<Sent>
}
