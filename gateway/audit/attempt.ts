import {
  type DynamoDBClient,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  type TransactWriteItemsCommandInput,
} from '@aws-sdk/client-dynamodb'

/** What one attempt to send a transaction tells about its fate. */
export type Answer =
  | { readonly kind: 'COMMITTED' }
  /** Nobody knows: the same transaction is sent again. */
  | { readonly kind: 'UNKNOWN'; readonly cause: string }
  /** This attempt did not commit; an earlier one may have. */
  | { readonly kind: 'NOT_COMMITTED'; readonly cause: string }
  /** Conditions failed. By position of the action: the hash that is stored there, `other` for a failure without one. */
  | { readonly kind: 'CONDITIONS'; readonly failed: ReadonlyMap<number, Uint8Array | 'other'> }
  /** Another transaction went under the same token: somebody else writes here. */
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
/** Reasons of a cancelled transaction under which resending the same makes sense. */
const PASSING = new Set(['TransactionConflict', 'ProvisionedThroughputExceeded', 'ThrottlingError'])

/**
 * Sends a transaction once. The SDK's own retries are off (`maxAttempts: 1`): each answer must be seen here.
 * The cancellation reasons hold old items, so nothing of them goes further than the hash.
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
  // beside a conflict, failed conditions are half an answer: the rest of the items may be in the hands of an earlier attempt
  if (failed.size > 0 && passing === undefined) return { kind: 'CONDITIONS', failed }
  if (refused !== undefined) return { kind: 'REFUSED', cause: refused }
  if (passing !== undefined) return { kind: 'NOT_COMMITTED', cause: passing }
  return { kind: 'UNKNOWN', cause: error.name }
}
