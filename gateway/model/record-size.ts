// An item of DynamoDB holds 400 KB. The rest is for the manifest, and for the bytes that sealing adds.

/** The maximum size of one value as JSON, in bytes of UTF-8. Sealing refuses a larger one. */
export const MAX_TEXT_BYTES = 200 * 1024

/** The maximum size of all values of a record as JSON, in bytes of UTF-8. */
export const MAX_RECORD_BYTES = 320 * 1024
