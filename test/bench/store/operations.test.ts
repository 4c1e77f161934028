import { beforeEach, describe, expect, it } from 'vitest'
import { longestChain } from '../../../bench/store/counts.ts'
import { Operations, ServiceError } from '../../../bench/store/operations.ts'

const KEY = [
  { AttributeName: 'pk', KeyType: 'HASH' },
  { AttributeName: 'sk', KeyType: 'RANGE' },
]
const BY_USER = {
  IndexName: 'byUser',
  KeySchema: [
    { AttributeName: 'user', KeyType: 'HASH' },
    { AttributeName: 'at', KeyType: 'RANGE' },
  ],
  Projection: { ProjectionType: 'KEYS_ONLY' },
}
const item = (sk: string, more: object = {}): object => ({ pk: { S: 'p' }, sk: { S: sk }, ...more })
const put = (Item: object, more: object = {}): object => ({ TableName: 't', Item, ...more })

let store: Operations
beforeEach(() => {
  store = new Operations()
  store.run('CreateTable', { TableName: 't', KeySchema: KEY, GlobalSecondaryIndexes: [BY_USER] })
  store.reset()
})

describe('the store of the bench', () => {
  it('charges one write unit for each started KiB, two in a transaction, and one for each index', () => {
    store.run('PutItem', put(item('1')))
    expect(store.counts.writeUnits).toBe(1)
    store.run('PutItem', put(item('2', { user: { S: 'u' }, at: { N: '1' } })))
    expect(store.counts.writeUnits).toBe(3)
    const large = item('3', { user: { S: 'u' }, at: { N: '2' }, text: { S: 'x'.repeat(1_100) } })
    store.run('TransactWriteItems', { TransactItems: [{ Put: put(large) }, { Put: put(item('4')) }] })
    expect(store.counts).toMatchObject({ writeUnits: 3 + 5 + 2, transactions: 1, requests: 3, itemsWritten: { t: 4 } })
  })

  it('charges an index only if what it projects changes, and twice if its key changes', () => {
    const of = (at: string, text: string) => put(item('1', { user: { S: 'u' }, at: { N: at }, text: { S: text } }))
    store.run('PutItem', of('1', 'a'))
    store.reset()
    store.run('PutItem', of('1', 'b'))
    expect(store.counts.writeUnits).toBe(1)
    store.run('PutItem', of('2', 'b'))
    expect(store.counts.writeUnits).toBe(1 + 3)
  })

  it('charges one read unit for each started 4 KiB, half without strong consistency, also for a miss', () => {
    store.run('PutItem', put(item('1', { text: { S: 'x'.repeat(5_000) } })))
    const Key = item('1')
    store.run('GetItem', { TableName: 't', Key, ConsistentRead: true })
    store.run('GetItem', { TableName: 't', Key: item('none') })
    store.run('BatchGetItem', { RequestItems: { t: { Keys: [Key] } } })
    expect(store.counts).toMatchObject({ readUnits: 2 + 0.5 + 1, itemsRead: 2 })
  })

  it('cancels a whole transaction if one condition fails, and returns the old item', () => {
    store.run('PutItem', put(item('1')))
    const failing = put(item('1'), {
      ConditionExpression: 'attribute_not_exists(pk)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    })
    expect(() => store.run('TransactWriteItems', { TransactItems: [{ Put: put(item('2')) }, { Put: failing }] })).toThrow(
      expect.objectContaining({
        body: { CancellationReasons: [{ Code: 'None' }, { Code: 'ConditionalCheckFailed', Item: item('1') }] },
      }) as ServiceError,
    )
    expect(store.run('GetItem', { TableName: 't', Key: item('2') })).toEqual({})
  })

  it('adds within a condition, as the hourly budget does', () => {
    const add = (amount: number) => ({
      TableName: 't',
      Key: item('1'),
      UpdateExpression: 'ADD used :amount SET expires = :expires',
      ConditionExpression: 'attribute_not_exists(used) OR used <= :room',
      ExpressionAttributeValues: { ':amount': { N: String(amount) }, ':room': { N: String(10 - amount) }, ':expires': { N: '9' } },
      ReturnValues: 'ALL_NEW',
    })
    store.run('UpdateItem', add(6))
    expect(store.run('UpdateItem', add(4))).toMatchObject({ Attributes: { used: { N: '10' }, expires: { N: '9' } } })
    expect(() => store.run('UpdateItem', add(1))).toThrow(ServiceError)
  })

  it('pages through a query in both directions, and through an index', () => {
    for (const sk of ['b', 'a', 'c']) store.run('PutItem', put(item(sk, { user: { S: 'u' }, at: { N: String(sk.charCodeAt(0)) } })))
    const query = (more: object) =>
      store.run('Query', {
        TableName: 't',
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :first AND :last',
        ExpressionAttributeValues: { ':pk': { S: 'p' }, ':first': { S: 'a' }, ':last': { S: 'b' } },
        ProjectionExpression: 'sk',
        ...more,
      })
    expect(query({})).toMatchObject({ Items: [{ sk: { S: 'a' } }, { sk: { S: 'b' } }], Count: 2 })
    expect(query({ ScanIndexForward: false, Limit: 1 })).toMatchObject({ Items: [{ sk: { S: 'b' } }], LastEvaluatedKey: item('b') })
    expect(query({ ExclusiveStartKey: item('a') })).toMatchObject({ Items: [{ sk: { S: 'b' } }] })
    const byUser = {
      IndexName: 'byUser',
      KeyConditionExpression: '#user = :user AND #at > :at',
      ExpressionAttributeNames: { '#user': 'user', '#at': 'at' },
      ExpressionAttributeValues: { ':user': { S: 'u' }, ':at': { N: '97' } },
    }
    expect(query(byUser)).toMatchObject({ Items: [{ sk: { S: 'b' } }, { sk: { S: 'c' } }] })
  })

  it('rejects an unknown operation or expression', () => {
    expect(() => store.run('Scan', { TableName: 't' })).toThrow(RangeError)
    expect(() => store.run('PutItem', put(item('1'), { ConditionExpression: 'size(pk) > :n' }))).toThrow()
  })

  it('counts the round trips that wait for each other', () => {
    const interval = (arrived: number, answered: number) => ({ arrived, answered })
    expect(longestChain([interval(0, 5), interval(1, 6), interval(6, 11), interval(12, 17)])).toBe(3)
    expect(longestChain([])).toBe(0)
  })
})
