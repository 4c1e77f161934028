import { DescribeTableCommand, DynamoDBClient, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Engine, startEngine } from '../../../infra/local/engine.ts'
import { createTables, dropTables, tableDefinitions } from '../../../infra/local/tables.ts'

describe('tables of a local engine equal those of infra/tables.yml', () => {
  let engine: Engine
  let client: DynamoDBClient
  // a shared engine keeps its data
  const stage = `tables-${process.pid}`
  beforeAll(async () => {
    engine = await startEngine()
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    client = new DynamoDBClient({ endpoint: engine.endpoint, region: 'us-east-1', credentials })
    await createTables(client, stage)
  })
  afterAll(async () => {
    await dropTables(client, stage)
    client.destroy()
    await engine.stop()
  })

  const described = async (TableName: string) => {
    const { Table } = await client.send(new DescribeTableCommand({ TableName }))
    const byName = (a: { AttributeName?: string | undefined }, b: { AttributeName?: string | undefined }): number =>
      (a.AttributeName ?? '') < (b.AttributeName ?? '') ? -1 : 1
    return {
      attributes: Table?.AttributeDefinitions?.toSorted(byName),
      keys: Table?.KeySchema,
      indexes: Object.fromEntries((Table?.GlobalSecondaryIndexes ?? []).map((index) => [String(index.IndexName), index])),
    }
  }
  const S = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' })
  const key = (hash: string, range: string) => [
    { AttributeName: hash, KeyType: 'HASH' },
    { AttributeName: range, KeyType: 'RANGE' },
  ]

  it('records and keys: by pk and sk', async () => {
    for (const name of [`phi-${stage}-records`, `phi-${stage}-keys`]) {
      expect(await described(name)).toEqual({ attributes: [S('pk'), S('sk')], keys: key('pk', 'sk'), indexes: {} })
    }
  })

  it('access: also by user', async () => {
    const { keys, indexes } = await described(`phi-${stage}-access`)
    expect(keys).toEqual(key('pk', 'sk'))
    expect(indexes).toMatchObject({ byUser: { KeySchema: key('user', 'pk'), Projection: { ProjectionType: 'KEYS_ONLY' } } })
  })

  it('audit: by patient and by user, in the order of time', async () => {
    const { attributes, keys, indexes } = await described(`phi-${stage}-audit`)
    expect(attributes).toContainEqual({ AttributeName: 'at', AttributeType: 'N' })
    expect(keys).toEqual(key('l', 'n'))
    expect(Object.keys(indexes).toSorted()).toEqual(['byPatient', 'byUser'])
    expect(indexes).toMatchObject({
      byPatient: { KeySchema: key('gp', 'at'), Projection: { ProjectionType: 'KEYS_ONLY' } },
      byUser: { KeySchema: key('gu', 'at'), Projection: { ProjectionType: 'KEYS_ONLY' } },
    })
  })

  it('are left unchanged by a second start, with their data', async () => {
    const { PHI_TABLE_RECORDS: records } = await createTables(client, stage)
    await client.send(new PutItemCommand({ TableName: records, Item: { pk: { S: 'p' }, sk: { S: 's' } } }))
    await createTables(client, stage)
    expect((await client.send(new ScanCommand({ TableName: records }))).Count).toBe(1)
  })

  it('have the stage in every name, and no variable', () => {
    expect(Object.fromEntries([...tableDefinitions('x')].map(([variable, { TableName }]) => [variable, TableName]))).toEqual({
      PHI_TABLE_RECORDS: 'phi-x-records',
      PHI_TABLE_HISTORY: 'phi-x-history',
      PHI_TABLE_CHECKPOINTS: 'phi-x-checkpoints',
      PHI_TABLE_ACCESS: 'phi-x-access',
      PHI_TABLE_BREAK_GLASS: 'phi-x-break-glass',
      PHI_TABLE_KEYS: 'phi-x-keys',
      PHI_TABLE_SESSIONS: 'phi-x-sessions',
      PHI_TABLE_IDEMPOTENCY: 'phi-x-idempotency',
      PHI_TABLE_AUDIT: 'phi-x-audit',
      PHI_TABLE_BUDGETS: 'phi-x-budgets',
      PHI_TABLE_SECURITY: 'phi-x-security',
      PHI_TABLE_SEARCH: 'phi-x-search',
      PHI_TABLE_OPERATIONS: 'phi-x-operations',
      PHI_TABLE_DISCLOSURES: 'phi-x-disclosures',
      PHI_TABLE_COMPARISONS: 'phi-x-comparisons',
      PHI_TABLE_WORKFORCE: 'phi-x-workforce',
    })
  })
})

describe('the local engine', () => {
  it('never uses an endpoint in the cloud', async () => {
    for (const endpoint of ['https://dynamodb.us-east-1.amazonaws.com', 'https://dynamodb.us-east-1.api.aws', 'nonsense']) {
      await expect(startEngine({ env: { AWS_ENDPOINT_URL_DYNAMODB: endpoint } })).rejects.toThrow(
        'must name an engine on this machine',
      )
    }
  })

  it('uses the given engine, and leaves it running', async () => {
    const given = await startEngine({ env: {} })
    const same = await startEngine({ env: { AWS_ENDPOINT_URL_DYNAMODB: given.endpoint } })
    expect(same.endpoint).toBe(given.endpoint)
    await same.stop()
    expect((await fetch(given.endpoint)).ok).toBe(true)
    await given.stop()
    await expect(fetch(given.endpoint)).rejects.toThrow('fetch failed')
  })
})
