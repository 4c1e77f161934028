import {
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StreamRecord, watchChanges } from '../../../../gateway/audit/notary/change-watch.ts'
import { CheckpointTable } from '../../../../gateway/audit/notary/checkpoint-table.ts'
import type { GatewayEvent } from '../../../../gateway/telemetry/events.ts'
import { tableDefinitions } from '../../../../infra/local/tables.ts'
import { NotaryBench } from './notary-bench.ts'
import { matches } from './stream-filter.ts'

let bench: NotaryBench
beforeAll(async () => {
  bench = await NotaryBench.start()
})
afterAll(async () => {
  await bench.stop()
})

async function watched(records: readonly StreamRecord[]): Promise<GatewayEvent[]> {
  const events: GatewayEvent[] = []
  const table = new CheckpointTable(bench.client, bench.checkpoints)
  await watchChanges(records, { table, events: (event) => void events.push(event) })
  return events
}

/** A record as Lambda gets it from a stream with old images. */
const record = (eventName: 'INSERT' | 'MODIFY' | 'REMOVE', l: string, n: string) => ({
  eventID: '7de3041dd709b024af6f29e4fa13d34c',
  eventName,
  eventVersion: '1.1',
  eventSource: 'aws:dynamodb',
  awsRegion: 'us-east-1',
  dynamodb: {
    ApproximateCreationDateTime: 1_796_000_000,
    Keys: { l: { S: l }, n: { S: n } },
    ...(eventName !== 'INSERT' && { OldImage: { l: { S: l }, n: { S: n }, e: { S: '{}' } } }),
    SequenceNumber: '4421584500000000017450439091',
    SizeBytes: 38,
    StreamViewType: 'OLD_IMAGE',
  },
  eventSourceARN: 'arn:aws:dynamodb:us-east-1:000000000000:table/phi-test-audit/stream/2026-03-01T00:00:00.000',
})

describe('P7: the stream of the audit table', () => {
  it('P7: a changed or removed item is an alarm, also if its key is unreadable', async () => {
    const lane = 'AQIDBAUG.1'
    expect(
      await watched([
        record('INSERT', `riverside#${lane}`, '00000001'),
        record('MODIFY', `riverside#${lane}`, '00000001'),
        record('REMOVE', `riverside#${lane}`, '00000002'),
        record('REMOVE', 'riverside#LANES#2026-11-28T17', lane),
        record('MODIFY', 'no key of ours', 'x'),
        { eventName: 'REMOVE' },
      ]),
    ).toEqual([
      { event: 'AUDIT_CHANGED', tenant: 'riverside', lane, what: 'MODIFY' },
      { event: 'AUDIT_CHANGED', tenant: 'riverside', lane, what: 'REMOVE' },
      { event: 'AUDIT_CHANGED', tenant: 'riverside', lane: 'LANES#2026-11-28T17', what: 'REMOVE' },
      { event: 'AUDIT_CHANGED', lane: '', what: 'MODIFY' },
      { event: 'AUDIT_CHANGED', lane: '', what: 'REMOVE' },
      { event: 'AUDIT_WATCHED', records: 6 },
    ])
  })

  it('P7: a registered lane makes its tenant known, with the first hour', async () => {
    const events = await watched([
      record('INSERT', 'northside#LANES#2026-11-28T17', 'AQIDBAUG.1'),
      record('INSERT', 'northside#LANES#2026-11-28T18', 'AQIDBAUG.2'),
      record('INSERT', 'westside#LANES#2026-11-28T18', 'AQIDBAUG.1'),
    ])
    await watched([record('INSERT', 'northside#LANES#2026-11-28T19', 'AQIDBAUG.3')])
    expect(events).toEqual([{ event: 'AUDIT_WATCHED', records: 3 }])
    expect(await new CheckpointTable(bench.client, bench.checkpoints).tenants()).toEqual([
      { tenant: 'northside', since: '2026-11-28T17' },
      { tenant: 'westside', since: '2026-11-28T18' },
    ])
  })

  it('P7: records that could not be examined whole are not reported as watched', async () => {
    const events: GatewayEvent[] = []
    const table = { addTenant: () => Promise.reject(new Error('no table')) }
    const records = [record('INSERT', 'northside#LANES#2026-11-28T17', 'AQIDBAUG.1')]
    await expect(watchChanges(records, { table, events: (event) => void events.push(event) })).rejects.toThrow('no table')
    expect(events).toEqual([])
  })

  it('P7: the filters of the deployment pass each change and each registration, and no other insert', () => {
    const lane = 'AQIDBAUG.17'
    expect(matches(record('INSERT', `riverside#${lane}`, '00000001'))).toBe(false)
    expect(matches(record('INSERT', 'riverside#AQIDBAUG.abcdefgh.7', '00000017'))).toBe(false)
    for (let hour = 0; hour < 24; hour++)
      expect(matches(record('INSERT', `riverside#LANES#2026-11-28T${String(hour).padStart(2, '0')}`, lane))).toBe(true)
    expect(matches(record('MODIFY', `riverside#${lane}`, '00000001'))).toBe(true)
    expect(matches(record('REMOVE', `riverside#${lane}`, '00000001'))).toBe(true)
  })
})

describe('P7: with the stream of the engine on', () => {
  it('P7: reports each change of a real table', async () => {
    const definition = [...tableDefinitions('stream')].find(([variable]) => variable === 'PHI_TABLE_AUDIT')?.[1]
    if (definition === undefined) throw new Error('no audit table')
    expect(definition.StreamSpecification).toEqual({ StreamEnabled: true, StreamViewType: 'OLD_IMAGE' })
    const TableName = `${bench.audit}-stream`
    await bench.client.send(new CreateTableCommand({ ...definition, TableName }))
    try {
      const { Table } = await bench.client.send(new DescribeTableCommand({ TableName }))
      const Key = { l: { S: 'riverside#AQIDBAUG.1' }, n: { S: '00000001' } }
      await bench.client.send(new PutItemCommand({ TableName, Item: { ...Key, e: { S: 'as written' } } }))
      await bench.client.send(
        new UpdateItemCommand({
          TableName,
          Key,
          UpdateExpression: 'SET e = :e',
          ExpressionAttributeValues: { ':e': { S: 'altered' } },
        }),
      )
      await bench.client.send(new DeleteItemCommand({ TableName, Key }))
      const records = await streamed(Table?.LatestStreamArn ?? '')
      expect(records.map(({ eventName }) => eventName)).toEqual(['INSERT', 'MODIFY', 'REMOVE'])
      expect(records.filter(matches)).toEqual(records.slice(1))
      const changed = { event: 'AUDIT_CHANGED', tenant: 'riverside', lane: 'AQIDBAUG.1' }
      expect(await watched(records)).toEqual([
        { ...changed, what: 'MODIFY' },
        { ...changed, what: 'REMOVE' },
        { event: 'AUDIT_WATCHED', records: 3 },
      ])
    } finally {
      await bench.client.send(new DeleteTableCommand({ TableName }))
    }
  })
})

/** All records of a stream. The API of streams has a client of its own, which no code here needs. */
async function streamed(StreamArn: string): Promise<StreamRecord[]> {
  const { protocol, hostname, port } = await (bench.client.config.endpoint?.() ?? Promise.reject(new Error('no endpoint')))
  const call = async (operation: string, input: object): Promise<Record<string, never>> => {
    const response = await fetch(`${protocol}//${hostname}:${String(port)}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-date': '20261128T000000Z',
        'x-amz-target': `DynamoDBStreams_20120810.${operation}`,
        authorization:
          'AWS4-HMAC-SHA256 Credential=local/20261128/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
      },
      body: JSON.stringify(input),
    })
    if (!response.ok) throw new Error(`${operation}: ${await response.text()}`)
    return (await response.json()) as Record<string, never>
  }
  const { StreamDescription } = (await call('DescribeStream', { StreamArn })) as unknown as {
    StreamDescription: { Shards: readonly { ShardId: string }[] }
  }
  const records: StreamRecord[] = []
  for (const { ShardId } of StreamDescription.Shards) {
    const { ShardIterator } = await call('GetShardIterator', { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' })
    const { Records } = (await call('GetRecords', { ShardIterator })) as unknown as { Records: StreamRecord[] }
    records.push(...Records)
  }
  return records
}
