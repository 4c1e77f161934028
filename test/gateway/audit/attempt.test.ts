import {
  type CancellationReason,
  DynamoDBClient,
  DynamoDBServiceException,
  IdempotentParameterMismatchException,
  InternalServerError,
  ProvisionedThroughputExceededException,
  RequestLimitExceeded,
  ResourceNotFoundException,
  ThrottlingException,
  TransactionCanceledException,
  TransactionConflictException,
  TransactionInProgressException,
} from '@aws-sdk/client-dynamodb'
import { describe, expect, it } from 'vitest'
import { attempt } from '../../../gateway/audit/attempt.ts'

const about = { $metadata: {}, message: 'Injected.' }
const named = (name: string): Error => new DynamoDBServiceException({ name, $fault: 'client', $metadata: {}, message: 'Injected.' })
const canceled = (...reasons: CancellationReason[]): Error =>
  new TransactionCanceledException({ ...about, CancellationReasons: reasons })

/** A client with one call, which ends as given. */
function answering(end: () => unknown): DynamoDBClient {
  const client = new DynamoDBClient({ region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } })
  client.send = async () => await Promise.resolve().then(end)
  return client
}

async function answerTo(thrown: unknown): ReturnType<typeof attempt> {
  const failing = answering(() => {
    throw thrown
  })
  return await attempt(failing, { TransactItems: [] }, 1_000)
}

describe('P2: the outcome that an answer proves', () => {
  it('P2: only an answer without an error proves a commit', async () => {
    expect(
      await attempt(
        answering(() => ({})),
        { TransactItems: [] },
        1_000,
      ),
    ).toEqual({ kind: 'COMMITTED' })
  })

  it.each([
    new TransactionInProgressException(about),
    new InternalServerError(about),
    named('ServiceUnavailable'),
    named('UnknownError'),
    Object.assign(new Error('socket hang up'), { name: 'Error', code: 'ECONNRESET' }),
    new DOMException('The operation was aborted due to timeout', 'TimeoutError'),
    Object.assign(new Error('aborted'), { name: 'AbortError' }),
    new SyntaxError('Unexpected token'),
  ])('P2: after $name the outcome is unknown', async (error) => {
    expect(await answerTo(error)).toEqual({ kind: 'UNKNOWN', cause: error.name })
  })

  it('P2: after a thrown value that is no Error, the outcome is unknown', async () => {
    expect(await answerTo('text')).toEqual({ kind: 'UNKNOWN', cause: 'unknown' })
  })

  it.each([
    new ProvisionedThroughputExceededException(about),
    new ThrottlingException(about),
    new RequestLimitExceeded(about),
    new TransactionConflictException(about),
  ])('P2: $name proves that this attempt did not commit', async (error) => {
    expect(await answerTo(error)).toEqual({ kind: 'NOT_COMMITTED', cause: error.name })
  })

  it.each([
    new ResourceNotFoundException(about),
    named('ValidationException'),
    named('AccessDeniedException'),
    named('UnrecognizedClientException'),
  ])('P2: $name is a refusal', async (error) => {
    expect(await answerTo(error)).toEqual({ kind: 'REFUSED', cause: error.name })
  })

  it('P2: a mismatch reports another transaction under the same token', async () => {
    expect(await answerTo(new IdempotentParameterMismatchException(about))).toEqual({ kind: 'MISMATCH' })
  })
})

describe('P2: cancellation reasons', () => {
  it.each(['TransactionConflict', 'ProvisionedThroughputExceeded', 'ThrottlingError'])(
    'P2: %s is temporary: this attempt did not commit',
    async (Code) => {
      expect(await answerTo(canceled({ Code: 'None' }, { Code }))).toEqual({ kind: 'NOT_COMMITTED', cause: Code })
    },
  )

  it.each(['ValidationError', 'ItemCollectionSizeLimitExceeded', 'AccessDenied', 'SomethingNew'])(
    'P2: %s is final: the transaction is refused',
    async (Code) => {
      expect(await answerTo(canceled({ Code: 'None' }, { Code }, { Code: 'TransactionConflict' }))).toEqual({
        kind: 'REFUSED',
        cause: Code,
      })
    },
  )

  it('P2: failed conditions are reported by position, with the stored hash and no other attribute of the item', async () => {
    const hash = Buffer.alloc(32, 7)
    const answer = await answerTo(
      canceled(
        { Code: 'ConditionalCheckFailed', Item: { h: { B: hash }, gu: { S: 'riverside#physician#1' } } },
        { Code: 'None' },
        { Code: 'ConditionalCheckFailed' },
      ),
    )
    expect(answer).toEqual({
      kind: 'CONDITIONS',
      failed: new Map<number, unknown>([
        [0, hash],
        [2, 'other'],
      ]),
    })
  })

  it('P2: a failed condition beside a temporary conflict is not final', async () => {
    const answer = await answerTo(
      canceled({ Code: 'ConditionalCheckFailed', Item: { h: { B: Buffer.alloc(32) } } }, { Code: 'TransactionConflict' }),
    )
    expect(answer).toEqual({ kind: 'NOT_COMMITTED', cause: 'TransactionConflict' })
  })

  it.each([canceled(), canceled({ Code: 'None' })])('P2: without a reason the outcome is unknown', async (error) => {
    expect(await answerTo(error)).toEqual({ kind: 'UNKNOWN', cause: 'TransactionCanceledException' })
  })
})
