import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  DynamoDBClient,
  type DynamoDBClientConfig,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { ConfiguredRetryStrategy } from '@smithy/core/retry'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { LeanDynamoDBClient } from '../../../gateway/store/lean-client.ts'
import {
  abortBefore,
  abortWithin,
  cut,
  cutBody,
  hang,
  json,
  raw,
  type Received,
  refuse,
  ScriptedDynamoDB,
  type Step,
} from './scripted-dynamodb.ts'

const service = new ScriptedDynamoDB()
let endpoint: string
beforeAll(async () => {
  endpoint = await service.start()
})
afterAll(async () => {
  await service.stop()
})

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token' }
const clients = { sdk: DynamoDBClient, lean: LeanDynamoDBClient }
type Sends = (client: DynamoDBClient, abortSignal: AbortSignal) => Promise<unknown>

const configuration = (): DynamoDBClientConfig => ({
  endpoint,
  region: 'us-east-1',
  credentials: CREDENTIALS,
  maxAttempts: 3,
  retryStrategy: new ConfiguredRetryStrategy(3, 1),
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
})
const impatient: DynamoDBClientConfig = { requestHandler: { requestTimeout: 100, throwOnRequestTimeout: true } }

/** The parts of a call that its caller and the service see. */
interface Seen {
  readonly result: unknown
  readonly requests: readonly unknown[]
}

async function see(client: DynamoDBClient, script: readonly Step[], sends: Sends): Promise<Seen> {
  const waiting = new AbortController()
  service.play(script, () => waiting.abort())
  try {
    const result = await sends(client, waiting.signal).then(
      (output) => ({ output: comparable(output) }),
      (error: unknown) => ({ error: error instanceof Error ? membersOf(error) : error }),
    )
    return { result, requests: service.received.map(requestOf) }
  } finally {
    client.destroy()
  }
}

const membersOf = (error: Error): object =>
  comparable({
    ...Object.fromEntries(Object.entries(error)),
    message: error.message,
    name: error.name,
    class: error.constructor.name,
  })

/** The result without the random delay. */
function comparable(value: unknown): object {
  const { $metadata, ...rest } = value as { $metadata?: object }
  return { ...rest, $metadata: without($metadata, 'totalRetryDelay') }
}

/** The parts that do not depend on time, chance or the name of the client. */
const requestOf = ({ headers, body }: Received): object => ({
  headers: without(
    headers,
    ...['authorization', 'user-agent', 'x-amz-user-agent', 'x-amz-date', 'x-amz-content-sha256', 'amz-sdk-invocation-id'],
  ),
  body: JSON.parse(body) as unknown,
  signedBy: headers.authorization?.split('/')[0],
  identified: headers['amz-sdk-invocation-id'] !== undefined,
})

const without = (members: object = {}, ...names: readonly string[]) =>
  Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name))) as Record<string, string>

async function seeBoth(script: readonly Step[], sends: Sends, config: DynamoDBClientConfig = {}): Promise<Seen> {
  const sdk = await see(new clients.sdk({ ...configuration(), ...config }), script, sends)
  const lean = await see(new clients.lean({ ...configuration(), ...config }), script, sends)
  expect(lean).toEqual(sdk)
  return lean
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const KEY = { pk: { S: 'tenant#patient' }, sk: { S: 'Patient#ü' } }
const ITEM = {
  ...KEY,
  B: { B: bytes('sealed') },
  empty: { B: bytes('') },
  n: { N: '12' },
  flags: { M: { on: { BOOL: true }, none: { NULL: true }, B: { S: 'a name like a type' }, inner: { B: bytes('a') } } },
  list: { L: [{ B: bytes('ab') }, { SS: ['x', 'y'] }, { NS: ['1'] }, { BS: [bytes('abc')] }] },
}
const STORED = {
  ...KEY,
  B: { B: 'c2VhbGVk' },
  empty: { B: '' },
  n: { N: '12' },
  flags: { M: { on: { BOOL: true }, none: { NULL: true }, B: { S: 'a name like a type' }, inner: { B: 'YQ==' } } },
  list: { L: [{ B: 'YWI=' }, { SS: ['x', 'y'] }, { NS: ['1'] }, { BS: ['YWJj'] }] },
}
const get: Sends = (client, abortSignal) => client.send(new GetItemCommand({ TableName: 'records', Key: KEY }), { abortSignal })
const write: Sends = (client, abortSignal) =>
  client.send(new TransactWriteItemsCommand({ ClientRequestToken: 'token', TransactItems: [] }), { abortSignal })
const signal = new AbortController().signal

describe('the lean client and the client of the SDK: equal outputs', () => {
  it.each<[string, Sends, object]>([
    ['GetItem', get, { Item: STORED }],
    ['GetItem of a missing item', get, {}],
    [
      'BatchGetItem with unprocessed keys',
      (client) =>
        client.send(
          new BatchGetItemCommand({
            RequestItems: {
              records: {
                Keys: [KEY, ITEM],
                ConsistentRead: true,
                ProjectionExpression: '#0',
                ExpressionAttributeNames: { '#0': 'pk' },
              },
            },
          }),
        ),
      { Responses: { records: [STORED, STORED] }, UnprocessedKeys: { records: { Keys: [STORED], ConsistentRead: true } } },
    ],
    [
      'Query with another page',
      (client) =>
        client.send(
          new QueryCommand({
            TableName: 'records',
            IndexName: 'byUser',
            KeyConditionExpression: 'pk = :pk',
            ExpressionAttributeValues: { ':pk': { B: bytes('x') } },
            ExclusiveStartKey: ITEM,
            Limit: 5,
            ScanIndexForward: false,
          }),
        ),
      { Items: [STORED], Count: 1, ScannedCount: 3, LastEvaluatedKey: STORED },
    ],
    [
      'PutItem',
      (client) =>
        client.send(new PutItemCommand({ TableName: 'records', Item: ITEM, ConditionExpression: 'attribute_not_exists(pk)' })),
      {},
    ],
    [
      'UpdateItem with returned values',
      (client) =>
        client.send(
          new UpdateItemCommand({
            TableName: 'records',
            Key: KEY,
            UpdateExpression: 'SET v = :v',
            ExpressionAttributeValues: { ':v': { B: bytes('v') } },
            ReturnValues: 'ALL_NEW',
          }),
        ),
      { Attributes: STORED },
    ],
    [
      'TransactWriteItems of all actions',
      (client) =>
        client.send(
          new TransactWriteItemsCommand({
            ClientRequestToken: 'token',
            TransactItems: [
              { Put: { TableName: 'audit', Item: ITEM, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } },
              {
                Update: {
                  TableName: 'audit',
                  Key: KEY,
                  UpdateExpression: 'ADD n :n',
                  ExpressionAttributeValues: { ':n': { N: '1' } },
                },
              },
              { Delete: { TableName: 'audit', Key: KEY } },
              { ConditionCheck: { TableName: 'audit', Key: KEY, ConditionExpression: 'attribute_exists(pk)' } },
            ],
          }),
        ),
      {},
    ],
    [
      'an input with a member that only the SDK encodes',
      (client) => client.send(new GetItemCommand({ TableName: 'records', Key: KEY, ReturnConsumedCapacity: 'TOTAL' })),
      { Item: STORED, ConsumedCapacity: { TableName: 'records', CapacityUnits: 0.5 } },
    ],
    [
      'a command that only the SDK sends',
      (client) => client.send(new ScanCommand({ TableName: 'records', ExclusiveStartKey: ITEM })),
      { Items: [STORED] },
    ],
  ])('%s', async (_, sends, stored) => {
    const { result } = await seeBoth([json(200, stored)], sends)
    expect(result).toHaveProperty('output')
  })

  it('decodes binary values', async () => {
    const { result } = await seeBoth([json(200, { Item: STORED })], get)
    expect(result).toMatchObject({ output: { Item: ITEM } })
  })

  it('equal results for a body of 8 MB', async () => {
    const Items = Array.from({ length: 20 }, () => ({ ...STORED, v: { S: 'ü'.repeat(200_000) } }))
    await seeBoth([json(200, { Items })], (client) => client.send(new QueryCommand({ TableName: 'records' })))
  })

  it('a transaction without a token gets one that all attempts share', async () => {
    service.play([cut, json(200, {})])
    const client = new LeanDynamoDBClient(configuration())
    await client.send(new TransactWriteItemsCommand({ TransactItems: [] }))
    client.destroy()
    const tokens = service.received.map(({ body }) => (JSON.parse(body) as { ClientRequestToken: string }).ClientRequestToken)
    expect(tokens).toEqual([expect.stringMatching(/^[\da-f-]{36}$/u), tokens[0]])
  })
})

describe('the lean client and the client of the SDK: equal failures', () => {
  it.each<[string, Step[], Sends]>([
    ['an error of the caller', [refuse('ValidationException')], get],
    ['an error that the SDK does not know', [refuse('SomethingNew')], get],
    ['an error without a body', [raw(400, '')], get],
    ['an error that is not JSON', [raw(400, '<html>')], get],
    ['a failed condition with its item', [refuse('ConditionalCheckFailedException', { Item: STORED })], get],
    [
      'a canceled transaction with its reasons',
      [
        refuse('TransactionCanceledException', {
          CancellationReasons: [{ Code: 'None' }, { Code: 'ConditionalCheckFailed', Message: 'no', Item: STORED }],
        }),
      ],
      write,
    ],
    ['a transaction in progress, then success', [refuse('TransactionInProgressException'), json(200, {})], write],
    ['another transaction of the same token', [refuse('IdempotentParameterMismatchException')], write],
    ['throttling, then success', [refuse('ThrottlingException'), json(200, { Item: STORED })], get],
    ['throttling to the end', Array.from({ length: 3 }, () => refuse('ProvisionedThroughputExceededException')), get],
    ['500, then success', [refuse('InternalServerError', {}, 500), json(200, {})], get],
    ['500 to the end', Array.from({ length: 3 }, () => refuse('InternalServerError', {}, 500)), get],
    ['503 without a body to the end', Array.from({ length: 3 }, () => raw(503, '')), get],
    ['a redirect', [raw(302, '{}')], get],
    ['a cut connection, then success', [cut, json(200, { Item: STORED })], get],
    ['a cut connection to the end', [cut, cut, cut], get],
    ['a cut body, then success', [cutBody, json(200, { Item: STORED })], get],
    ['a cut body to the end', [cutBody, cutBody, cutBody], get],
    ['malformed JSON', [raw(200, '{"Item":')], get],
    ['no JSON at all', [raw(200, '')], get],
    ['null for an object', [raw(200, 'null')], get],
    ['null for an item', [raw(200, '{"Item":null}')], get],
    ['a binary value that is not base64', [json(200, { Item: { B: { B: '?' } } })], get],
    ['an abort before the response', [abortBefore], get],
    ['an abort in the middle of the body', [abortWithin], get],
    ['an aborted signal', [], (client) => get(client, AbortSignal.abort())],
    ['expired credentials', [refuse('ExpiredTokenException')], get],
    ['unknown credentials', [refuse('UnrecognizedClientException')], get],
  ])('%s', async (_, script, sends) => {
    await seeBoth(script, sends)
  })

  it.each<[string, Step[]]>([
    ['a cut connection', [cut]],
    ['a cut body', [cutBody]],
    ['throttling', [refuse('ThrottlingException')]],
    ['500', [refuse('InternalServerError', {}, 500)]],
  ])('%s without retries', async (_, script) => {
    const { requests } = await seeBoth(script, get, { maxAttempts: 1, retryStrategy: new ConfiguredRetryStrategy(1, 1) })
    expect(requests).toHaveLength(1)
  })

  it('equal results if no response comes in time', async () => {
    await seeBoth([hang, json(200, { Item: STORED })], get, impatient)
    await seeBoth([hang], get, { ...impatient, maxAttempts: 1, retryStrategy: new ConfiguredRetryStrategy(1, 1) })
  })

  it('equal results if the service does not listen', async () => {
    await seeBoth([], get, { endpoint: 'http://127.0.0.1:9' })
  })

  it('errors are instances of the classes that callers test', async () => {
    const client = new LeanDynamoDBClient(configuration())
    service.play([refuse('ConditionalCheckFailedException'), refuse('TransactionCanceledException', { CancellationReasons: [] })])
    await expect(get(client, signal)).rejects.toBeInstanceOf(ConditionalCheckFailedException)
    await expect(write(client, signal)).rejects.toBeInstanceOf(TransactionCanceledException)
    client.destroy()
  })

  it('equal results without credentials', async () => {
    const credentials = () => Promise.reject(new Error('no credentials here'))
    const { result, requests } = await seeBoth([], get, { credentials })
    expect(result).toMatchObject({ error: { message: 'no credentials here' } })
    expect(requests).toEqual([])
  })
})

describe('the lean client and the client of the SDK: equal configuration', () => {
  it('fetches credentials again before they expire', async () => {
    let fetched = 0
    const credentials = async () =>
      await Promise.resolve({ ...CREDENTIALS, accessKeyId: `KEY${++fetched}`, expiration: new Date(Date.now() + 60_000) })
    const client = new LeanDynamoDBClient({ ...configuration(), credentials })
    const { requests } = await see(client, [json(200, {}), json(200, {})], async () => {
      await get(client, signal)
      return await get(client, signal)
    })
    const [before, after] = requests as { signedBy: string }[]
    expect(before?.signedBy).toMatch(/KEY\d+$/u)
    expect(after?.signedBy).not.toBe(before?.signedBy)
  })

  it('signs with the time of the service once the clock is known to be wrong', async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString()
    const times = []
    for (const make of [clients.sdk, clients.lean]) {
      service.play([refuse('InvalidSignatureException', {}, 400, { date }), json(200, {}, { date }), json(200, {}, { date })])
      const client = new make(configuration())
      await get(client, signal)
      await get(client, signal)
      client.destroy()
      times.push(service.received.map(({ headers }) => Math.round((timeOf(headers['x-amz-date']) - Date.now()) / 60_000) || 0))
    }
    expect(times).toEqual([
      [0, 60, 60],
      [0, 60, 60],
    ])
  })

  it.each<[string, Record<string, string>, DynamoDBClientConfig]>([
    ['the endpoint of the service', { AWS_ENDPOINT_URL_DYNAMODB: 'endpoint' }, {}],
    ['the endpoint of all services', { AWS_ENDPOINT_URL: 'endpoint' }, {}],
    ['the region', { AWS_ENDPOINT_URL: 'endpoint', AWS_REGION: 'eu-central-1' }, {}],
    ['the credentials', { AWS_ENDPOINT_URL: 'endpoint', AWS_ACCESS_KEY_ID: 'FROMENV', AWS_SECRET_ACCESS_KEY: 'secret' }, {}],
  ])('takes %s from the environment', async (_, environment) => {
    for (const [name, value] of Object.entries({ AWS_REGION: 'us-west-2', ...environment }))
      vi.stubEnv(name, value === 'endpoint' ? endpoint : value)
    const sees = async (make: typeof DynamoDBClient) => {
      const rest = without(configuration(), 'endpoint', 'region', 'credentials')
      const withKeys = environment['AWS_ACCESS_KEY_ID'] === undefined ? { ...rest, credentials: CREDENTIALS } : rest
      await see(new make(withKeys), [json(200, {})], get)
      return service.received.map(({ headers }) => [headers.host, headers.authorization?.split(', ')[0]])
    }
    try {
      const sdk = await sees(clients.sdk)
      expect(sdk).toHaveLength(1)
      expect(await sees(clients.lean)).toEqual(sdk)
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it.each<[string, DynamoDBClientConfig]>([
    ['the endpoint of a region', {}],
    ['a FIPS endpoint', { useFipsEndpoint: true }],
    ['a dual-stack endpoint', { useDualstackEndpoint: true }],
    ['the endpoint of an account', { credentials: { ...CREDENTIALS, accountId: '123456789012' } }],
    ['a FIPS endpoint in place of a custom one', { useFipsEndpoint: true, endpoint: 'http://127.0.0.1:9' }],
  ])('sends to %s as the SDK does', async (_, config) => {
    const destination = async (make: typeof DynamoDBClient) => {
      const sent: unknown[] = []
      const handle = (request: object) => {
        const { protocol, hostname, port, path, headers } = request as Record<string, string> & { headers: Record<string, string> }
        sent.push({ protocol, hostname, port, path, host: headers['host'], scope: headers['authorization']?.split(', ')[0] })
        return Promise.reject(new Error('not sent'))
      }
      const client = new make({ ...without(configuration(), 'endpoint'), ...config, requestHandler: { handle } as never })
      const error = await get(client, signal).catch((thrown: unknown) => thrown)
      return { sent, error: error instanceof Error && error.message }
    }
    expect(await destination(clients.lean)).toEqual(await destination(clients.sdk))
  })

  it('signs as the SDK does', async () => {
    service.play([json(200, {})])
    const client = new LeanDynamoDBClient(configuration())
    await get(client, signal)
    const [received] = service.received
    if (received === undefined) throw new TypeError('nothing was sent')
    const { headers, body } = received
    const unsigned = without(headers, 'authorization', 'connection', 'user-agent', 'x-amz-date', 'x-amz-security-token')
    const signer = await client.config.signer()
    const { headers: signed } = await signer.sign(
      { method: 'POST', protocol: 'http:', hostname: '127.0.0.1', path: '/', query: {}, headers: unsigned, body },
      { signingDate: new Date(timeOf(headers['x-amz-date'])) },
    )
    client.destroy()
    expect(signed['authorization']).toBe(headers.authorization)
  })
})

describe('a connection before the first call', () => {
  it('is opened without a signature, and the first call uses it', async () => {
    const client = new LeanDynamoDBClient(configuration())
    service.play([raw(400, 'not a call'), json(200, {})])
    await client.connect(signal)
    await get(client, signal)
    client.destroy()
    const [first, second] = service.received
    expect(first?.headers).not.toHaveProperty('authorization')
    expect(first?.body).toBe('')
    expect(second?.port).toBe(first?.port)
  })

  it('fails if the service does not answer, and later calls work', async () => {
    const client = new LeanDynamoDBClient(configuration())
    service.play([cut, json(200, {})])
    await expect(client.connect(signal)).rejects.toThrow()
    await expect(get(client, signal)).resolves.toMatchObject({ $metadata: { attempts: 1 } })
    client.destroy()
  })
})

/** Milliseconds of a time like 20261128T170000Z. */
const timeOf = (text: unknown): number =>
  Date.parse(String(text).replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u, '$1-$2-$3T$4:$5:$6Z'))
