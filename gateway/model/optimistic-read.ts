/** One read: a consistent value, or the parts that do not fit together. */
export type OptimisticRead<Value, Torn> = { readonly value: Value } | { readonly torn: Torn }

/** The reads of one value, the first included. */
const MAX_READS = 3
/** The reads of a value that several writers may be changing: each of their writes can tear one read. */
export const BUSY_READS = 8

/** The reads of an unchanged manifest that show damage: the second one is between two reads of the manifest. */
export const READS_OF_DAMAGE = 3
/** The reads of a value that is being changed all the time. A consistent read takes two of them on average, even under a flood. */
export const MAX_STILL_READS = 20

/**
 * Reads values that several requests read and one transaction writes. There is no lock: a write between two of the requests tears the
 * read, and a torn read looks like tampering. A torn read is therefore repeated. A read that stays torn is tampering, and is reported.
 *
 * @param read one complete read, from the first request on; an error ends the reading at once
 * @param report handles the last torn read: throws, or returns the value that stands for the damage
 * @param maxReads the reads in total, at least 1
 */
export async function retryOptimisticRead<Value, Torn>(
  read: () => Promise<OptimisticRead<Value, Torn>>,
  report: (torn: Torn) => Value,
  maxReads = MAX_READS,
): Promise<Value> {
  for (let reads = 1; ; reads++) {
    const result = await read()
    if ('value' in result) return result.value
    if (reads >= maxReads) return report(result.torn)
  }
}
