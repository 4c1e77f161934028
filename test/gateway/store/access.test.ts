import { type BatchGetItemCommandInput, DynamoDBClient, type QueryCommandInput } from '@aws-sdk/client-dynamodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { AccessTable } from '../../../gateway/store/access.ts'
import { BreakGlassTable } from '../../../gateway/store/break-glass.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { PatientId, TenantId } from '../../../gateway/model/ids.ts'

const TENANT = 'riverside' as TenantId
const ANNA = 'AAAAAAAAAAAAAAAAAAAAAA' as PatientId
const BERT = 'BBBBBBBBBBBBBBBBBBBBBB' as PatientId

let client: DynamoDBClient
let sent: (BatchGetItemCommandInput | QueryCommandInput)[]
/** Requests that contain this text fail. */
let fails: string | undefined

beforeEach(() => {
  client = new DynamoDBClient({ region: 'us-east-1' })
  sent = []
  fails = undefined
  vi.spyOn(client, 'send').mockImplementation((command) => {
    const input = command.input as BatchGetItemCommandInput
    sent.push(input)
    if (fails !== undefined && JSON.stringify(input).includes(fails)) return Promise.reject(new Error('refused')) as never
    const { RequestItems } = input
    const Responses = Object.fromEntries(
      Object.entries(RequestItems ?? {}).map(([table, { Keys = [] }]) => [
        table,
        Keys.map((key) => ({ ...key, v: { B: new Uint8Array([1]) } })),
      ]),
    )
    return Promise.resolve(RequestItems === undefined ? { Items: [] } : { Responses }) as never
  })
})

const keysRead = (): unknown[] =>
  sent.map((input) =>
    'RequestItems' in input
      ? input.RequestItems?.['access']?.Keys?.map(({ pk, sk }) => `${pk?.S ?? ''} ${sk?.S ?? ''}`).toSorted()
      : [],
  )

describe('the reads of a request on the access table', () => {
  it('loads of one tick share one batch with each manifest once, and each load gets the patients that it asked for', async () => {
    const table = new AccessTable(client, 'access')
    const { signal } = new AbortController()
    const later = async () => {
      for (let step = 0; step < 20; step++) await Promise.resolve()
      return await table.load(TENANT, [ANNA], signal)
    }
    const [members, consents] = await Promise.all([table.load(TENANT, [ANNA, BERT], signal), later()])
    expect(keysRead()).toEqual([[`${TENANT}#${ANNA} #ROOT`, `${TENANT}#${BERT} #ROOT`]])
    expect([...members.keys()]).toEqual([ANNA, BERT])
    expect([...consents.keys()]).toEqual([ANNA])
    // one object, so that the manifest is opened once
    expect(consents.get(ANNA)).toBe(members.get(ANNA))
    expect(table.counter.requests).toBe(1)
    // nothing is cached: the next load reads again (P13)
    expect((await table.load(TENANT, [ANNA], signal)).get(ANNA)).not.toBe(members.get(ANNA))
    expect(table.counter.requests).toBe(2)
  })

  it('other requests and writers have their own batches', async () => {
    const table = new AccessTable(client, 'access')
    await Promise.all([
      table.load(TENANT, [ANNA], new AbortController().signal),
      table.load(TENANT, [ANNA], new AbortController().signal),
      table.load(TENANT, [ANNA]),
    ])
    expect(table.counter.requests).toBe(3)
  })

  it('a failed batch fails every load in it', async () => {
    const table = new AccessTable(client, 'access')
    const { signal } = new AbortController()
    fails = ANNA
    const loads = await Promise.allSettled([table.load(TENANT, [ANNA], signal), table.load(TENANT, [BERT], signal)])
    expect(loads).toMatchObject([
      { reason: expect.any(StoreUnavailable) as unknown },
      { reason: expect.any(StoreUnavailable) as unknown },
    ])
  })

  it('P13: memberships, consents, break-glass grants and their queue are read with strong consistency', async () => {
    const access = new AccessTable(client, 'access')
    await access.load(TENANT, [ANNA])
    await access.chunks(TENANT, new Map([[ANNA, [1]]]))
    const table = new BreakGlassTable(client, 'break-glass')
    await table.load(TENANT, 'user', [ANNA])
    await table.manifests(TENANT, [ANNA])
    await table.items([{ tenant: TENANT, table: 'break-glass', pk: 'p', sk: 's' }])
    await table.queue(TENANT, 'REVIEW', undefined, 10)
    expect(sent).toHaveLength(6)
    for (const input of sent) {
      const tables = 'RequestItems' in input ? Object.values(input.RequestItems ?? {}) : [input]
      expect(tables.map(({ ConsistentRead }) => ConsistentRead)).toEqual([true])
    }
  })
})
