import {
  BatchGetItemCommand,
  DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  ThrottlingException,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Engine, startEngine } from '../../infra/local/engine.ts'
import type { TableNames } from '../../infra/local/environment.ts'
import { createTables } from '../../infra/local/tables.ts'
import { type Fault, refuse, type ServiceCall } from './faults.ts'
import { itemBytes, unitsOf } from '../../bench/store/item-size.ts'
import { type HostileProxy, startProxy } from './proxy.ts'
import { STORMY_STORE, storeWeather, type StoreWeather } from './store-weather.ts'

const MAX_LAG = 1_000

let engine: Engine
let proxy: HostileProxy
let weather: StoreWeather
let client: DynamoDBClient
let tables: TableNames
let now = 0
let items = 0

beforeAll(async () => {
  engine = await startEngine({ env: {} })
  proxy = await startProxy(engine.endpoint)
  weather = storeWeather({ engine: engine.endpoint, seed: 1, now: () => now, longestLag: MAX_LAG })
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  client = new DynamoDBClient({ endpoint: proxy.endpoint, region: 'us-east-1', credentials, maxAttempts: 1 })
  tables = await createTables(client, 'weather')
})
afterAll(async () => {
  client.destroy()
  weather.close()
  await proxy.stop()
  await engine.stop()
})
beforeEach(() => {
  weather.calm()
  proxy.play(weather.script)
  // every bucket is full again, and every index is up to date
  now += 3_600_000
})

/** An audit item of a lane, of at most 1 KiB unless padded. */
const item = (lane: string, { user = 'u', padding = '' } = {}) => ({
  l: { S: lane },
  n: { S: String(++items).padStart(12, '0') },
  gu: { S: user },
  at: { N: '1' },
  x: { S: padding },
})
const put = async (lane: string, options?: Parameters<typeof item>[1]): Promise<unknown> =>
  await client.send(new PutItemCommand({ TableName: tables.PHI_TABLE_AUDIT, Item: item(lane, options) }))
const transact = async (lane: string, count: number, token?: string): Promise<unknown> =>
  await client.send(
    new TransactWriteItemsCommand({
      TransactItems: Array.from({ length: count }, () => ({
        Put: { TableName: tables.PHI_TABLE_AUDIT, Item: item(lane, { user: lane }) },
      })),
      ...(token !== undefined && { ClientRequestToken: token }),
    }),
  )
const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => undefined,
    (failure: unknown) => failure,
  )

describe('faults before DynamoDB', () => {
  it('a seed determines the faults, and another seed yields others', async () => {
    const call = (operation: string): ServiceCall => ({
      operation,
      body: '',
      json: { TransactItems: [] },
      invocation: '',
      sessionToken: undefined,
      names: () => false,
    })
    const fates = async (seed: number, order: readonly string[]): Promise<Fault[]> => {
      const one = storeWeather({ engine: engine.endpoint, seed, now: () => 0 })
      one.blow({ ...STORMY_STORE, INDEX_LAG: 0, WRITE_UNITS: 0 })
      const fated: Fault[] = []
      for (const operation of order) {
        const fate = await one.script(call(operation))
        if (operation === 'GetItem') fated.push(fate)
      }
      one.close()
      return fated
    }
    const text = (fated: Fault[]): string => JSON.stringify(fated)
    const gets = Array.from({ length: 60 }, () => 'GetItem')
    const first = text(await fates(7, gets))
    expect(text(await fates(7, gets))).toBe(first)
    expect(
      text(
        await fates(
          7,
          gets.flatMap((get) => ['Query', get]),
        ),
      ),
    ).toBe(first)
    expect(text(await fates(8, gets))).not.toBe(first)
  })

  it('a key has 1,000 write units a second: one for each KiB, two in a transaction', async () => {
    weather.blow({ WRITE_UNITS: 1 })
    for (let count = 0; count < 5; count++) await transact('lane-a', 100)
    const failure = await failureOf(transact('lane-a', 3))
    expect(failure).toBeInstanceOf(TransactionCanceledException)
    const codes = (failure as TransactionCanceledException).CancellationReasons?.map(({ Code }) => Code)
    expect(codes).toEqual(['ThrottlingError', 'ThrottlingError', 'ThrottlingError'])
    expect(await failureOf(put('lane-a', { user: 'other' }))).toBeInstanceOf(ThrottlingException)
    // another key is not throttled
    await put('lane-b', { user: 'other' })
    now += 6
    await transact('lane-a', 3)
    expect(await failureOf(transact('lane-a', 1))).toBeInstanceOf(TransactionCanceledException)
  })

  it('a transaction of more than 500 write units for one lane always fails, after any time', async () => {
    weather.blow({ WRITE_UNITS: 1 })
    const sized = (kib: number, lanes = 1) =>
      Array.from({ length: 10 }, (_, index) => ({
        Put: {
          TableName: tables.PHI_TABLE_AUDIT,
          Item: item(`lane-x${index % lanes}`, { user: `u${index}`, padding: 'x'.repeat(kib * 1_024 - 100) }),
        },
      }))
    const send = async (TransactItems: ReturnType<typeof sized>): Promise<unknown> =>
      await client.send(new TransactWriteItemsCommand({ TransactItems }))
    // 10 items of 24 KiB take 480 units, and 10 of the index
    await send(sized(24))
    now += 1_000
    const large = sized(25)
    for (let attempt = 0; attempt < 3; attempt++) {
      now += 60_000
      const failure = await failureOf(send(large))
      expect(failure).toBeInstanceOf(TransactionCanceledException)
      const codes = (failure as TransactionCanceledException).CancellationReasons?.map(({ Code }) => Code)
      expect(codes).toEqual(large.map(() => 'ThrottlingError'))
    }
    // each half in its own lane
    await send(sized(25, 2))
  })

  it('a throttled index throttles the write to the table', async () => {
    weather.blow({ WRITE_UNITS: 1 })
    const busy = { user: 'busy' }
    // each lane needs few units, but the user's index needs all of them
    for (let lane = 0; lane < 1_000; lane++) await put(`lane-${lane}`, busy)
    expect(await failureOf(put('lane-fresh', busy))).toBeInstanceOf(ThrottlingException)
    await put('lane-fresh', { user: 'idle' })
  })

  it('a repeated transaction that was paid for costs nothing', async () => {
    weather.blow({ WRITE_UNITS: 1 })
    const token = 'token-of-the-first'
    const TransactItems = [{ Put: { TableName: tables.PHI_TABLE_AUDIT, Item: item('lane-c', { padding: 'x'.repeat(200_000) }) } }]
    const send = async (): Promise<unknown> =>
      await client.send(new TransactWriteItemsCommand({ TransactItems, ClientRequestToken: token }))
    await send()
    await send()
    expect(weather.counts.WRITE_UNITS).toBeGreaterThan(0)
    for (let count = 0; count < 3; count++) await transact('lane-c', 100)
    expect(await failureOf(transact('lane-c', 10))).toBeInstanceOf(TransactionCanceledException)
  })

  it('an index shows an item later, with consistent pages and counts, and finally shows all items', async () => {
    weather.blow({ INDEX_LAG: 1 })
    for (let count = 0; count < 20; count++) await put(`lane-${count}`, { user: 'lagging' })
    const seen = async (): Promise<{ found: number; more: boolean }> => {
      const page = await client.send(
        new QueryCommand({
          TableName: tables.PHI_TABLE_AUDIT,
          IndexName: 'byUser',
          KeyConditionExpression: 'gu = :u',
          ExpressionAttributeValues: { ':u': { S: 'lagging' } },
          Limit: 15,
        }),
      )
      expect(page.Count).toBe(page.Items?.length)
      expect(page.ScannedCount).toBe(page.Items?.length)
      return { found: page.Items?.length ?? 0, more: page.LastEvaluatedKey !== undefined }
    }
    const steps: number[] = []
    for (let step = 0; step < 4; step++) {
      const { found, more } = await seen()
      expect(more).toBe(true)
      steps.push(found)
      now += MAX_LAG / 3
    }
    expect(steps[0]).toBe(0)
    expect(steps[1]).toBeGreaterThan(0)
    expect(steps[1]).toBeLessThan(15)
    expect(steps[3]).toBe(15)
    expect(weather.counts.INDEX_LAG).toBeGreaterThan(15)
  })

  it('some keys of a batch are left unprocessed, and the others answered', async () => {
    await Promise.all(Array.from({ length: 10 }, () => put('lane-d')))
    const Keys = Array.from({ length: 10 }, (_, index) => ({
      l: { S: 'lane-d' },
      n: { S: String(items - index).padStart(12, '0') },
    }))
    weather.blow({ UNPROCESSED_KEYS: 1 })
    const answer = await client.send(new BatchGetItemCommand({ RequestItems: { [tables.PHI_TABLE_AUDIT]: { Keys } } }))
    const [given, left] = [
      answer.Responses?.[tables.PHI_TABLE_AUDIT] ?? [],
      answer.UnprocessedKeys?.[tables.PHI_TABLE_AUDIT]?.Keys ?? [],
    ]
    expect(given.length).toBeGreaterThan(0)
    expect(left.length).toBeGreaterThan(0)
    expect(new Set([...given, ...left].map(({ n }) => n?.S)).size).toBe(10)
  })

  it('a fault from a script takes precedence', async () => {
    weather.blow({ THROTTLED: 1 })
    proxy.play((call) => (call.operation === 'PutItem' ? refuse('AccessDeniedException') : weather.script(call)))
    expect(await failureOf(put('lane-e'))).toMatchObject({ name: 'AccessDeniedException' })
    expect(await failureOf(transact('lane-e', 1))).toMatchObject({ name: 'ThrottlingException' })
  })
})

describe('write units of an item', () => {
  it('count names and values like DynamoDB, by started KiB', () => {
    expect(itemBytes({ pk: { S: 'aé' } })).toBe(5)
    expect(itemBytes({ b: { B: Buffer.alloc(10).toString('base64') } })).toBe(11)
    expect(itemBytes({ n: { N: '-1234' }, t: { BOOL: true } })).toBe(7)
    expect(itemBytes({ l: { L: [{ S: 'ab' }, { M: { k: { S: 'v' } } }] } })).toBe(14)
    expect([1, 1_024, 1_025].map(unitsOf)).toEqual([1, 1, 2])
  })
})
