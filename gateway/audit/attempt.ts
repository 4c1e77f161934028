import {
  type DynamoDBClient,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  type TransactWriteItemsCommandInput,
} from '@aws-sdk/client-dynamodb'

/** The result of one attempt to send a transaction. */
export type Answer =
  | { readonly kind: 'COMMITTED' }
  /** The transaction may have been committed. The lane sends it again. */
  | { readonly kind: 'UNKNOWN'; readonly cause: string }
  /** This attempt did not commit; an earlier one may have. */
  | { readonly kind: 'NOT_COMMITTED'; readonly cause: string }
  /** Conditions failed. Maps the position of an action to the stored hash, or to `other` if the stored item has no hash. */
  | { readonly kind: 'CONDITIONS'; readonly failed: ReadonlyMap<number, Uint8Array | 'other'> }
  /** Another transaction had the same token: another process writes to the lane. */
  | { readonly kind: 'MISMATCH' }
  | { readonly kind: 'REFUSED'; readonly cause: string }

const THROTTLED = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestLimitExceeded',
  'TransactionConflictException',
  'LimitExceededException',
])
const REFUSED = new Set([
  'ValidationException',
  'AccessDeniedException',
  'ResourceNotFoundException',
  'UnrecognizedClientException',
  'ItemCollectionSizeLimitExceededException',
])
/** Reasons of a cancelled transaction that can pass, so that the lane sends it again. */
const PASSING = new Set(['TransactionConflict', 'ProvisionedThroughputExceeded', 'ThrottlingError'])

/**
 * Sends a transaction once. The SDK's own retries are off (`maxAttempts: 1`), because the lane must see each answer.
 * The cancellation reasons contain stored items. Only the hash of an item leaves this function.
 */
export async function attempt(
  client: Pick<DynamoDBClient, 'send'>,
  input: TransactWriteItemsCommandInput,
  timeoutMs: number,
): Promise<Answer> {
  try {
    await client.send(new TransactWriteItemsCommand(input), { abortSignal: AbortSignal.timeout(timeoutMs) })
    return { kind: 'COMMITTED' }
  } catch (error) {
    return read(error)
  }
}

function read(error: unknown): Answer {
  if (!(error instanceof Error)) return { kind: 'UNKNOWN', cause: 'unknown' }
  if (error instanceof TransactionCanceledException) return readReasons(error)
  if (error.name === 'IdempotentParameterMismatchException') return { kind: 'MISMATCH' }
  if (THROTTLED.has(error.name)) return { kind: 'NOT_COMMITTED', cause: error.name }
  if (REFUSED.has(error.name)) return { kind: 'REFUSED', cause: error.name }
  return { kind: 'UNKNOWN', cause: error.name }
}

function readReasons(error: TransactionCanceledException): Answer {
  const reasons = error.CancellationReasons ?? []
  const failed = new Map<number, Uint8Array | 'other'>()
  let passing: string | undefined
  let refused: string | undefined
  for (const [position, { Code, Item }] of reasons.entries()) {
    if (Code === undefined || Code === 'None') continue
    if (Code === 'ConditionalCheckFailed') failed.set(position, Item?.['h']?.B ?? 'other')
    else if (PASSING.has(Code)) passing = Code
    else refused = Code
  }
  // beside a conflict, failed conditions are incomplete: an earlier attempt may still hold the other items
  if (failed.size > 0 && passing === undefined) return { kind: 'CONDITIONS', failed }
  if (refused !== undefined) return { kind: 'REFUSED', cause: refused }
  if (passing !== undefined) return { kind: 'NOT_COMMITTED', cause: passing }
  return { kind: 'UNKNOWN', cause: error.name }
}
