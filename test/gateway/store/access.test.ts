import { type BatchGetItemCommandInput, DynamoDBClient, type QueryCommandInput } from '@aws-sdk/client-dynamodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { AccessTable } from '../../../gateway/store/access.ts'
import { BreakGlassTable } from '../../../gateway/store/break-glass.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { PatientId, TenantId } from '../../../gateway/model/ids.ts'

const TENANT = 'riverside' as TenantId
const ANNA = 'AAAAAAAAAAAAAAAAAAAAAA' as PatientId
const MEMBER = { kind: 'CARE_TEAM', patient: ANNA, subject: 'x' } as const
const CONSENTS = { kind: 'CONSENTS', patient: ANNA, subject: 'ALL' } as const

let client: DynamoDBClient
let sent: (BatchGetItemCommandInput | QueryCommandInput)[]
/** Requests that name this fail. */
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

const sortKeys = (): unknown[] =>
  sent.map((input) => ('RequestItems' in input ? input.RequestItems?.['access']?.Keys?.map(({ sk }) => sk?.S).toSorted() : []))

describe('what a request reads of the access table', () => {
  it('memberships and consents of one tick are one batch with each root once, and each asker has what it asked for', async () => {
    const table = new AccessTable(client, 'access')
    const { signal } = new AbortController()
    const later = async () => {
      for (let step = 0; step < 20; step++) await Promise.resolve()
      return await table.load(TENANT, [CONSENTS], signal)
    }
    const [members, consents] = await Promise.all([table.load(TENANT, [MEMBER], signal), later()])
    expect(sortKeys()).toEqual([['#ROOT', 'CARE_TEAM#x', 'CONSENTS#ALL']])
    expect(members.items.map(({ kind }) => kind)).toEqual(['CARE_TEAM'])
    expect(consents.items.map(({ kind }) => kind)).toEqual(['CONSENTS'])
    expect([members.manifests.has(ANNA), consents.manifests.has(ANNA), table.counter.requests]).toEqual([true, true, 1])
    // nothing is kept: the next one is read anew (P13)
    await table.load(TENANT, [MEMBER], signal)
    expect(table.counter.requests).toBe(2)
  })

  it('other requests, and writers, have batches of their own', async () => {
    const table = new AccessTable(client, 'access')
    await Promise.all([
      table.load(TENANT, [MEMBER], new AbortController().signal),
      table.load(TENANT, [CONSENTS], new AbortController().signal),
      table.load(TENANT, [CONSENTS]),
    ])
    expect(table.counter.requests).toBe(3)
  })

  it('what keeps one part back does not keep back the other', async () => {
    const table = new AccessTable(client, 'access')
    const { signal } = new AbortController()
    fails = 'CONSENTS'
    const [members, consents] = await Promise.allSettled([
      table.load(TENANT, [MEMBER], signal),
      table.load(TENANT, [CONSENTS], signal),
    ])
    expect(members).toMatchObject({ status: 'fulfilled', value: { items: [MEMBER] } })
    expect(consents).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) as unknown })
  })

  it('P13: memberships, consents, break-glass grants and their queue are read strongly consistent', async () => {
    await new AccessTable(client, 'access').load(TENANT, [MEMBER, CONSENTS])
    const table = new BreakGlassTable(client, 'break-glass')
    await table.load(TENANT, 'user', [ANNA])
    await table.manifests(TENANT, [ANNA])
    await table.item({ tenant: TENANT, table: 'break-glass', pk: 'p', sk: 's' })
    await table.queue(TENANT, 'REVIEW', undefined, 10)
    expect(sent).toHaveLength(5)
    for (const input of sent) {
      const tables = 'RequestItems' in input ? Object.values(input.RequestItems ?? {}) : [input]
      expect(tables.map(({ ConsistentRead }) => ConsistentRead)).toEqual([true])
    }
  })
})
