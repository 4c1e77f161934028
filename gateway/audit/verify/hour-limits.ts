// The limits of the lanes of an hour, `docs/audit-log.md`, section "The end of a lane". The writer and the verifier share them.

export const HOUR_MS = 3_600_000
/** An hour's lanes may grow after its end: the longest request, which is an import's patient, and the last unresolved send. */
export const LINGER_MS = 600_000 + 15_000
/** The largest difference between two clocks that loses no record. */
export const CLOCK_TOLERANCE_MS = 300_000
