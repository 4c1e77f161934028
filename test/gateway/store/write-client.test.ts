import { PutItemCommand, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { writeClient } from '../../../gateway/store/write-client.ts'
import { json, refuse, ScriptedDynamoDB } from './scripted-dynamodb.ts'

const service = new ScriptedDynamoDB()
beforeAll(async () => {
  vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', await service.start())
  vi.stubEnv('AWS_REGION', 'us-east-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await service.stop()
})

/** `20261128T174000Z`, rounded to the hour. */
const hourOf = (date: string): number =>
  Math.round(Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/u, '$1-$2-$3T$4:$5:')) / 3_600_000)

describe('P7: the client that writes the log', () => {
  it('P7: signs with the time of the process: AWS refuses each record of a process whose clock is wrong', async () => {
    const [date, now] = [new Date(Date.now() + 36_000_000).toUTCString(), Math.round(Date.now() / 3_600_000)]
    const refused = refuse('InvalidSignatureException', { message: 'Signature expired.' }, 403, { date })
    service.play([json(200, {}, { date }), refused, refused])
    const client = writeClient({ requestTimeout: 5_000, throwOnRequestTimeout: true })
    const put = { TableName: 'audit', Item: { l: { S: 'a' } } }
    const transaction = new TransactWriteItemsCommand({ TransactItems: [{ Put: put }] })
    await client.send(transaction)
    await expect(client.send(transaction)).rejects.toThrow('Signature expired.')
    await expect(client.send(new PutItemCommand(put))).rejects.toThrow('Signature expired.')
    client.destroy()
    const signed = service.received.map(({ headers }) => hourOf(String(headers['x-amz-date'])))
    expect(signed).toEqual([now, now, now])
  })
})
