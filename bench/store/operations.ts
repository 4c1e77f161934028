import { type Bindings, holds, projected, updated } from './expressions.ts'
import { noCounts, readUnitsOf, type StoreCounts } from './counts.ts'
import type { WireItem } from './item-size.ts'
import { type KeyNames, Table } from './table.ts'

/** A refusal in the form of the service: the error's type, and what its body holds besides. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly type: string
  readonly body: object
  constructor(type: string, body: object = {}) {
    super(type)
    this.type = type
    this.body = body
  }
}

interface Expressed {
  readonly ConditionExpression?: string
  readonly ProjectionExpression?: string
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>
  readonly ExpressionAttributeValues?: WireItem
  readonly ReturnValuesOnConditionCheckFailure?: string
}

interface ReadInput extends Expressed {
  readonly TableName: string
  readonly Key: WireItem
  readonly ConsistentRead?: boolean
}

interface KeysInput extends Expressed {
  readonly Keys: readonly WireItem[]
  readonly ConsistentRead?: boolean
}

interface WriteInput extends Expressed {
  readonly TableName: string
  readonly Item?: WireItem
  readonly Key?: WireItem
  readonly UpdateExpression?: string
  readonly ReturnValues?: string
}

interface QueryRequest extends Expressed {
  readonly TableName: string
  readonly IndexName?: string
  readonly KeyConditionExpression: string
  readonly FilterExpression?: string
  readonly ScanIndexForward?: boolean
  readonly Limit?: number
  readonly ExclusiveStartKey?: WireItem
  readonly ConsistentRead?: boolean
}

interface KeySchema {
  readonly KeySchema: readonly { readonly AttributeName: string; readonly KeyType: string }[]
}

interface CreateInput extends KeySchema {
  readonly TableName: string
  readonly GlobalSecondaryIndexes?: readonly (KeySchema & {
    readonly IndexName: string
    readonly Projection: { readonly ProjectionType: string }
  })[]
}

type WriteKind = 'Put' | 'Update' | 'Delete' | 'ConditionCheck'

const bindingsOf = ({ ExpressionAttributeNames: names = {}, ExpressionAttributeValues: values = {} }: Expressed): Bindings => ({
  names,
  values,
})

const keyNames = ({ KeySchema: schema }: KeySchema): KeyNames => {
  const [partition = '', ...sort] = schema
    .toSorted((a) => (a.KeyType === 'HASH' ? -1 : 1))
    .map(({ AttributeName }) => AttributeName)
  return [partition, ...sort]
}

/** The operations of DynamoDB that the contestants use, over tables in memory. It counts the work that they cost. */
export class Operations {
  readonly #tables = new Map<string, Table>()
  #counts: StoreCounts = noCounts()
  /** Writes that are stored, but not yet indexed and counted. A client does not wait for them. */
  #unsettled: (() => void)[] = []

  /** The work since the last reset. */
  get counts(): StoreCounts {
    this.settle()
    return this.#counts
  }

  reset(): void {
    this.settle()
    this.#counts = noCounts()
  }

  /** Updates the indexes, and counts the units of writes. */
  settle(): void {
    for (const settle of this.#unsettled.splice(0)) settle()
  }

  /** @throws ServiceError; UnknownExpression and RangeError for what this stand-in does not know */
  run(operation: string, input: unknown): object {
    this.#counts.requests++
    switch (operation) {
      case 'GetItem':
        return this.#getItem(input as ReadInput)
      case 'BatchGetItem':
        return this.#batchGetItem(input as { RequestItems: Record<string, KeysInput> })
      case 'Query':
        return this.#query(input as QueryRequest)
      case 'PutItem':
        return this.#write('Put', input as WriteInput)
      case 'UpdateItem':
        return this.#write('Update', input as WriteInput)
      case 'DeleteItem':
        return this.#write('Delete', input as WriteInput)
      case 'BatchWriteItem':
        return this.#batchWriteItem(input as { RequestItems: Record<string, readonly Record<string, WriteInput>[]> })
      case 'TransactWriteItems':
        return this.#transactWriteItems(input as { TransactItems: readonly Record<WriteKind, WriteInput>[] })
      case 'CreateTable':
        return this.#createTable(input as CreateInput)
      default:
        throw new RangeError(`This stand-in has no ${operation}.`)
    }
  }

  /** Deletes all items of a table. */
  clear(name: string): void {
    this.settle()
    this.#tables.set(name, new Table(this.#table(name).shape))
  }

  #table(name: string): Table {
    const table = this.#tables.get(name)
    if (!table) throw new ServiceError('com.amazonaws.dynamodb.v20120810#ResourceNotFoundException')
    return table
  }

  #count(operation: string, table: string): void {
    const key = `${operation} ${table}`
    this.#counts.operations[key] = (this.#counts.operations[key] ?? 0) + 1
  }

  #read(table: Table, key: WireItem, input: Expressed & { readonly ConsistentRead?: boolean }): WireItem | undefined {
    const stored = table.get(key)
    this.#counts.readUnits += readUnitsOf(stored?.bytes ?? 0, input.ConsistentRead === true)
    if (!stored) return undefined
    this.#counts.itemsRead++
    return projected(input.ProjectionExpression, stored.item, bindingsOf(input))
  }

  #getItem(input: ReadInput): object {
    this.#count('GetItem', input.TableName)
    const item = this.#read(this.#table(input.TableName), input.Key, input)
    return item ? { Item: item } : {}
  }

  #batchGetItem({ RequestItems }: { RequestItems: Record<string, KeysInput> }): object {
    const answered = Object.entries(RequestItems).map(([name, input]) => {
      this.#count('BatchGetItem', name)
      const table = this.#table(name)
      return [name, input.Keys.flatMap((key) => this.#read(table, key, input) ?? [])] as const
    })
    return { Responses: Object.fromEntries(answered), UnprocessedKeys: {} }
  }

  #query(input: QueryRequest): object {
    this.#count('Query', `${input.TableName}${input.IndexName === undefined ? '' : `/${input.IndexName}`}`)
    this.settle()
    const bindings = bindingsOf(input)
    const { items, bytes, examined, last } = this.#table(input.TableName).query({
      index: input.IndexName,
      condition: input.KeyConditionExpression,
      filter: input.FilterExpression,
      bindings,
      forward: input.ScanIndexForward !== false,
      limit: input.Limit,
      after: input.ExclusiveStartKey,
    })
    this.#counts.readUnits += readUnitsOf(bytes, input.ConsistentRead === true)
    this.#counts.itemsRead += items.length
    const Items = items.map((item) => projected(input.ProjectionExpression, item, bindings))
    return { Items, Count: Items.length, ScannedCount: examined, ...(last && { LastEvaluatedKey: last }) }
  }

  #write(kind: WriteKind, input: WriteInput): object {
    this.#count(`${kind}Item`, input.TableName)
    const before = this.#table(input.TableName).get(input.Item ?? input.Key ?? {})?.item
    if (!holds(input.ConditionExpression, before, bindingsOf(input))) {
      const old = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before ? { Item: before } : {}
      throw new ServiceError('com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException', old)
    }
    const after = this.#apply(kind, input, before, 1)
    if (input.ReturnValues === 'ALL_NEW' || input.ReturnValues === 'UPDATED_NEW') return { Attributes: after ?? {} }
    return input.ReturnValues === 'ALL_OLD' && before ? { Attributes: before } : {}
  }

  #apply(kind: WriteKind, input: WriteInput, before: WireItem | undefined, factor: number): WireItem | undefined {
    const key = input.Item ?? input.Key ?? {}
    const base = before ?? key
    const after =
      kind === 'Put'
        ? input.Item
        : kind === 'Update'
          ? updated(input.UpdateExpression ?? '', base, bindingsOf(input))
          : kind === 'Delete'
            ? undefined
            : before
    const unitsOfWrite = this.#table(input.TableName).write(key, after, factor)
    this.#unsettled.push(() => {
      this.#counts.writeUnits += unitsOfWrite()
    })
    this.#counts.itemsWritten[input.TableName] = (this.#counts.itemsWritten[input.TableName] ?? 0) + 1
    return after
  }

  #batchWriteItem({ RequestItems }: { RequestItems: Record<string, readonly Record<string, WriteInput>[]> }): object {
    for (const [TableName, requests] of Object.entries(RequestItems)) {
      this.#count('BatchWriteItem', TableName)
      for (const { PutRequest, DeleteRequest } of requests) {
        const input = { TableName, ...(PutRequest ?? DeleteRequest) }
        this.#apply(PutRequest ? 'Put' : 'Delete', input, undefined, 1)
      }
    }
    return { UnprocessedItems: {} }
  }

  #transactWriteItems({ TransactItems }: { TransactItems: readonly Record<WriteKind, WriteInput>[] }): object {
    this.#counts.transactions++
    const actions = TransactItems.map((action) => {
      const [[kind, input] = []] = Object.entries(action) as [WriteKind, WriteInput][]
      if (kind === undefined || input === undefined) throw new ServiceError('com.amazon.coral.validate#ValidationException')
      return { kind, input, before: this.#table(input.TableName).get(input.Item ?? input.Key ?? {})?.item }
    })
    this.#count('TransactWriteItems', [...new Set(actions.map(({ input }) => input.TableName))].sort().join(', '))
    const reasons = actions.map(({ input, before }) => {
      if (holds(input.ConditionExpression, before, bindingsOf(input))) return { Code: 'None' }
      const old = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before ? { Item: before } : {}
      return { Code: 'ConditionalCheckFailed', ...old }
    })
    if (reasons.some(({ Code }) => Code !== 'None'))
      throw new ServiceError('com.amazonaws.dynamodb.v20120810#TransactionCanceledException', { CancellationReasons: reasons })
    for (const { kind, input, before } of actions) if (kind !== 'ConditionCheck') this.#apply(kind, input, before, 2)
    return {}
  }

  #createTable(input: CreateInput): object {
    const indexes = (input.GlobalSecondaryIndexes ?? []).map((index) => ({
      name: index.IndexName,
      key: keyNames(index),
      projectsAll: index.Projection.ProjectionType === 'ALL',
    }))
    this.#tables.set(input.TableName, new Table({ key: keyNames(input), indexes }))
    return { TableDescription: { TableName: input.TableName, TableStatus: 'ACTIVE' } }
  }
}
