const ITEM = `lane || '/' || CAST(sequence AS VARCHAR)`

/** The items and records of a span, sealed and not sealed yet. */
export const SEALED_ITEMS = `SELECT count(*) AS records, count(*) FILTER (WHERE position IS NULL) AS open,
count(DISTINCT position) AS sealed, count(DISTINCT ${ITEM}) FILTER (WHERE position IS NULL) AS unsealed,
min("time") FILTER (WHERE position IS NULL) AS oldest
FROM accesses`
