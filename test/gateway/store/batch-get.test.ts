import { DynamoDBClient, type AttributeValue } from '@aws-sdk/client-dynamodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { batchGet, type Key, project } from '../../../gateway/store/batch-get.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'

// no test waits for a backoff
vi.mock('node:timers/promises', () => ({ setTimeout: () => Promise.resolve() }))

type Item = Record<string, AttributeValue>
interface Request {
  readonly RequestItems: Readonly<Record<string, { readonly Keys: readonly Item[]; readonly ConsistentRead: boolean }>>
}

/** A table that answers at most `atOnce` keys of a batch and leaves the others unprocessed. */
class PressedTable {
  readonly client = new DynamoDBClient({ region: 'us-east-1' })
  readonly batches: (readonly Item[])[] = []
  atOnce = 100
  fails: Error | undefined
  lacks = new Set<string>()

  constructor() {
    vi.spyOn(this.client, 'send').mockImplementation((command) => this.#answer(command.input as Request) as never)
  }

  #answer({ RequestItems }: Request): Promise<object> {
    if (this.fails !== undefined) return Promise.reject(this.fails)
    const { Keys = [], ConsistentRead } = RequestItems['records'] ?? {}
    expect(ConsistentRead).toBe(true)
    this.batches.push(Keys)
    const answered = Keys.slice(0, this.atOnce).filter(({ pk }) => !this.lacks.has(pk?.S ?? ''))
    const left = Keys.slice(this.atOnce)
    return Promise.resolve({
      Responses: { records: answered },
      UnprocessedKeys: left.length === 0 ? {} : { records: { Keys: left } },
    })
  }
}

const keys = (count: number): Key[] => Array.from({ length: count }, (_, index) => ({ pk: `p${index}`, sk: 'Patient#1' }))
let table: PressedTable
beforeEach(() => {
  table = new PressedTable()
})
const read = async (wanted: readonly Key[]) => {
  const counter = { requests: 0 }
  const items = await batchGet(table.client, counter, 'records', wanted)
  return { found: items.map(({ pk }) => pk?.S), requests: counter.requests }
}

describe('items by key: a list is complete or an error', () => {
  it('reads a hundred keys at a time, each key once', async () => {
    const { found, requests } = await read([...keys(205), ...keys(205)])
    expect(new Set(found)).toEqual(new Set(keys(205).map(({ pk }) => pk)))
    expect(found).toHaveLength(205)
    expect(requests).toBe(3)
    expect(table.batches.map((batch) => batch.length)).toEqual([100, 100, 5])
  })

  it('asks again for the unprocessed keys only', async () => {
    table.atOnce = 40
    const { found, requests } = await read(keys(100))
    expect(found).toHaveLength(100)
    expect(requests).toBe(3)
    expect(table.batches.map((batch) => batch.length)).toEqual([100, 60, 20])
  })

  it('omits a missing item, and does not ask for it again', async () => {
    table.lacks.add('p1')
    expect(await read(keys(3))).toEqual({ found: ['p0', 'p2'], requests: 1 })
  })

  it('fails the list if keys stay unprocessed', async () => {
    table.atOnce = 0
    await expect(read(keys(2))).rejects.toThrow(StoreUnavailable)
    expect(table.batches).toHaveLength(7)
  })

  it('P8: a failure of the SDK is passed on as an error class without its message', async () => {
    table.fails = new Error('item p0 with its values')
    await expect(read(keys(2))).rejects.toThrow(new StoreUnavailable().message)
  })

  it('sends nothing for an empty list of keys', async () => {
    expect(await read([])).toEqual({ found: [], requests: 0 })
  })
})

it('attribute names are passed as placeholders: a dot in a name is no path', () => {
  expect(project(['pk', 'f:address.city'])).toEqual({
    ProjectionExpression: '#0, #1',
    ExpressionAttributeNames: { '#0': 'pk', '#1': 'f:address.city' },
  })
})
