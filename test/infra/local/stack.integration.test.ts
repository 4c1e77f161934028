import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient, ListTablesCommand, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NoStack, readStackFile } from '../../../infra/local/stack-file.ts'
import { startStack } from '../../../infra/local/stack.ts'
import { fetchToken } from '../../../infra/local/token.ts'

let dataFolder: string
beforeEach(() => {
  dataFolder = mkdtempSync(join(tmpdir(), 'phi-stack-'))
})
afterEach(() => rmSync(dataFolder, { recursive: true }))

// an engine that other tests share keeps its data
const namespace = `stack-${process.pid}`
const item = { pk: { S: 'p' }, sk: { S: 's' } }

describe('the local stack', () => {
  it('is found by stock clients through the environment alone, and by another process through its file', async () => {
    // a developer's own sign-in, which the SDK would prefer
    process.env['AWS_PROFILE'] = 'somebody'
    const before = { ...process.env }
    const stack = await startStack({ namespace, dataFolder, port: 0 })
    try {
      const dynamodb = new DynamoDBClient()
      const kms = new KMSClient()
      const { TableNames = [] } = await dynamodb.send(new ListTablesCommand())
      expect(TableNames).toEqual(expect.arrayContaining([stack.env.PHI_TABLE_RECORDS, stack.env.PHI_TABLE_AUDIT]))
      const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: process.env['PHI_KMS_KEY_ID'] }))
      expect(KeyMetadata?.KeyState).toBe('Enabled')
      dynamodb.destroy()
      kms.destroy()

      const found = readStackFile(dataFolder)
      expect(found.graphql).toBe(`http://127.0.0.1:${stack.port}/graphql`)
      expect(found.users).toContainEqual({ name: 'physician', tenant: 'riverside', fhirUser: 'Practitioner/physician' })
      expect(await fetchToken(found, 'physician')).toMatch(/^ey/)
      expect(await fetchToken(found, 'acme')).toMatch(/^ey/)
      for (const file of ['stack.json', 'kms.json', 'identity.json']) {
        expect(statSync(join(dataFolder, file)).mode & 0o777).toBe(0o600)
      }
    } finally {
      await stack.stop()
    }
    expect({ ...process.env }).toEqual(before)
    Reflect.deleteProperty(process.env, 'AWS_PROFILE')
    expect(() => readStackFile(dataFolder)).toThrow(NoStack)
  })

  it('keeps its data over a restart, and deletes them on request', async () => {
    const first = await startStack({ namespace, dataFolder, port: 0 })
    await first.dynamodb.send(new PutItemCommand({ TableName: first.env.PHI_TABLE_RECORDS, Item: item }))
    await first.stop()

    const second = await startStack({ namespace, dataFolder, port: 0 })
    expect((await second.dynamodb.send(new ScanCommand({ TableName: second.env.PHI_TABLE_RECORDS }))).Count).toBe(1)
    await second.stop()
    const kept = ['kms.json', 'identity.json'].map((file) => readFileSync(join(dataFolder, file), 'utf8'))

    const third = await startStack({ namespace, dataFolder, port: 0, fresh: true })
    expect((await third.dynamodb.send(new ScanCommand({ TableName: third.env.PHI_TABLE_RECORDS }))).Count).toBe(0)
    await third.stop()
    expect(readFileSync(join(dataFolder, 'kms.json'), 'utf8')).not.toBe(kept[0])
    expect(readFileSync(join(dataFolder, 'identity.json'), 'utf8')).not.toBe(kept[1])
  })

  it('does not share its folder or its port', async () => {
    const stack = await startStack({ namespace, dataFolder, port: 0 })
    const elsewhere = mkdtempSync(join(tmpdir(), 'phi-stack-'))
    try {
      await expect(startStack({ namespace, dataFolder, port: 0 })).rejects.toMatchObject({ name: 'StackRunning' })
      const taken = Number(new URL(stack.issuer).port)
      await expect(startStack({ namespace, dataFolder: elsewhere, port: taken })).rejects.toMatchObject({
        name: 'PortInUse',
        port: taken,
      })
    } finally {
      await stack.stop()
      rmSync(elsewhere, { recursive: true })
    }
  })
})
