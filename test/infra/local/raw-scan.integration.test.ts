import { CreateTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startEngine } from '../../../infra/local/engine.ts'
import { type RawItem, scanRaw } from '../../harness/raw-scan.ts'

const folder = mkdtempSync(join(tmpdir(), 'phi-scan-'))
const table = `scan-${randomUUID()}`
const ITEMS = 30
let engine: Awaited<ReturnType<typeof startEngine>>
let client: DynamoDBClient

beforeAll(async () => {
  engine = await startEngine({ dataFile: join(folder, 'data') })
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  client = new DynamoDBClient({ endpoint: engine.endpoint, region: 'us-east-1', credentials })
  await client.send(
    new CreateTableCommand({
      TableName: table,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'k', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'k', KeyType: 'HASH' }],
    }),
  )
  for (let number = 0; number < ITEMS; number++) {
    const value = { B: Buffer.alloc(100_000, number) }
    await client.send(new PutItemCommand({ TableName: table, Item: { k: { S: `item ${number}` }, value } }))
  }
})
afterAll(async () => {
  client.destroy()
  await engine.stop()
  rmSync(folder, { recursive: true, force: true })
})

it('P8: the scan that the search relies on returns every item of every page', async () => {
  const pages: (readonly RawItem[])[] = []
  for await (const { items } of scanRaw(client, table)) pages.push(items())
  expect(pages.length).toBeGreaterThan(2)
  const items = pages.flat()
  expect(new Set(items.map(({ k }) => k?.['S'])).size).toBe(ITEMS)
  const sizes = items.map(({ value }) => Buffer.from(value?.B ?? '', 'base64').length)
  expect(new Set(sizes)).toEqual(new Set([100_000]))
})
