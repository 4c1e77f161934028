import {
  BatchGetItemCommand,
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LeanDynamoDBClient } from '../../../gateway/store/lean-client.ts'
import { type Engine, startEngine } from '../../../infra/local/engine.ts'

let engine: Engine
let clients: readonly [DynamoDBClient, LeanDynamoDBClient]
const tables: string[] = []

beforeAll(async () => {
  engine = await startEngine()
  const config = {
    endpoint: engine.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  }
  clients = [new DynamoDBClient(config), new LeanDynamoDBClient(config)]
})
afterAll(async () => {
  for (const TableName of tables) await clients[0].send(new DeleteTableCommand({ TableName }))
  for (const client of clients) client.destroy()
  await engine.stop()
})

async function createTable(client: DynamoDBClient): Promise<string> {
  const TableName = `lean-${randomUUID()}`
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  )
  tables.push(TableName)
  return TableName
}

const key = (sk: number) => ({ pk: { S: 'tenant#ü' }, sk: { S: String(sk).padStart(3, '0') } })
const item = (sk: number) => ({
  ...key(sk),
  v: { B: new Uint8Array(300).fill(sk) },
  n: { N: '0' },
  deep: { M: { list: { L: [{ B: new Uint8Array([sk]) }, { NULL: true }] }, set: { BS: [new Uint8Array([1, sk])] } } },
})

/** Makes calls of each kind. Returns the outcomes in the order of the calls. */
async function exercise(client: DynamoDBClient): Promise<unknown[]> {
  const TableName = await createTable(client)
  const outcomes: unknown[] = []
  const record = async (call: Promise<object>): Promise<void> => {
    const outcome: object = await call.catch((error: unknown) => error as Error)
    const members = Object.entries(outcome).filter(([name]) => name !== '$metadata')
    outcomes.push(JSON.parse(JSON.stringify([outcome.constructor.name, members]).replaceAll(TableName, 'table')))
  }
  const absent = { ConditionExpression: 'attribute_not_exists(pk)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const
  const put = (sk: number) => ({ Put: { TableName, Item: item(sk), ...absent } })
  const numbers = Array.from({ length: 100 }, (_, index) => index)

  await record(client.send(new TransactWriteItemsCommand({ TransactItems: numbers.map(put) })))
  await record(client.send(new TransactWriteItemsCommand({ TransactItems: [put(200), put(7)] })))
  await record(client.send(new PutItemCommand({ TableName, Item: item(200), ...absent })))
  await record(client.send(new PutItemCommand({ TableName, Item: item(200), ...absent })))
  await record(client.send(new GetItemCommand({ TableName, Key: key(7), ConsistentRead: true })))
  await record(client.send(new GetItemCommand({ TableName, Key: key(999) })))
  await record(client.send(new GetItemCommand({ TableName: 'missing', Key: key(1) })))
  await record(client.send(new GetItemCommand({ TableName, Key: { pk: { S: 'only' } } })))
  const update = { TableName, Key: key(7), UpdateExpression: 'ADD n :one', ExpressionAttributeValues: { ':one': { N: '1' } } }
  await record(client.send(new UpdateItemCommand({ ...update, ReturnValues: 'ALL_NEW' })))
  await record(client.send(new UpdateItemCommand({ ...update, ConditionExpression: 'n = :one', ReturnValues: 'UPDATED_NEW' })))
  await record(client.send(new UpdateItemCommand({ ...update, ConditionExpression: 'n = :one' })))
  const Keys = numbers.map(key)
  const { Responses } = await client.send(
    new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys, ConsistentRead: true } } }),
  )
  const sorted = Responses?.[TableName]?.toSorted((a, b) => ((a['sk']?.S ?? '') < (b['sk']?.S ?? '') ? -1 : 1))
  expect(sorted?.map(({ v }) => v?.B)).toEqual(numbers.map((sk) => item(sk).v.B))
  await record(Promise.resolve({ sorted }))
  const query = { TableName, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': key(0).pk }, Limit: 60 }
  const page = await client.send(new QueryCommand(query))
  await record(Promise.resolve(page))
  await record(client.send(new QueryCommand({ ...query, ExclusiveStartKey: page.LastEvaluatedKey })))
  return outcomes
}

it('the lean client and the client of the SDK get equal answers from the engine', async () => {
  const [sdk, lean] = await Promise.all(clients.map(exercise))
  expect(sdk).toHaveLength(14)
  expect(lean).toEqual(sdk)
})

it('the engine answers the request that opens a connection', async () => {
  await expect(clients[1].connect(AbortSignal.timeout(5_000))).resolves.toBeUndefined()
})
