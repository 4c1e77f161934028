import {
  BatchGetItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { randomUUID } from 'node:crypto'
import { type Attributes, decodeAttributes, encodeAttributes } from './attribute-json.ts'

/** An operation of DynamoDB as JSON: the forms of its input and its output. */
export interface HotOperation {
  readonly name: string
  /**
   * The input as JSON.
   *
   * @throws UnknownForm if the input has a member that this file does not know
   */
  readonly encode: (input: object) => string
  /**
   * The output from JSON, decoded in place. A member that is not listed here has the same form in both.
   *
   * @throws TypeError if the output has another form than expected
   */
  readonly decode: (output: HotOutput) => void
}

/** The input has a member that this client does not encode. The SDK sends the command. */
export class UnknownForm extends Error {
  override readonly name = 'UnknownForm'
}

/** The members of outputs that hold attributes. */
export interface HotOutput {
  Item?: Attributes
  Items?: Attributes[]
  Attributes?: Attributes
  LastEvaluatedKey?: Attributes
  Responses?: Record<string, Attributes[]>
  UnprocessedKeys?: Record<string, { Keys?: Attributes[] }>
}

type Encode = (value: never) => unknown

const asIs: Encode = (value) => value
const attributes: Encode = encodeAttributes
const list =
  (encode: Encode): Encode =>
  (values: readonly never[]) =>
    values.map(encode)

/** The account of an ARN selects the endpoint, which differs then from call to call. */
const tableName: Encode = (name: string) => {
  if (name.startsWith('arn:')) throw new UnknownForm('the name of a table is an ARN')
  return name
}

/** An object with these members and no others. */
function shape(members: Readonly<Record<string, Encode>>): Encode {
  const known = new Map(Object.entries(members))
  return (value: object) => {
    const encoded: Record<string, unknown> = {}
    for (const [name, member] of Object.entries(value) as [string, unknown][]) {
      const encode = known.get(name)
      if (encode === undefined) throw new UnknownForm(`${name} is not encoded here`)
      if (member !== undefined) encoded[name] = encode(member as never)
    }
    return encoded
  }
}

/** A map from names of tables. */
const byTable =
  (encode: Encode): Encode =>
  (value: Record<string, never>) =>
    Object.fromEntries(Object.entries(value).map(([table, member]) => [tableName(table as never) as string, encode(member)]))

const expression = {
  TableName: tableName,
  ConditionExpression: asIs,
  ExpressionAttributeNames: asIs,
  ExpressionAttributeValues: attributes,
  ReturnValuesOnConditionCheckFailure: asIs,
}
const update = { ...expression, Key: attributes, UpdateExpression: asIs }
const read = { ConsistentRead: asIs, ProjectionExpression: asIs, ExpressionAttributeNames: asIs }

const getItem = shape({ ...read, TableName: tableName, Key: attributes })
const batchGetItem = shape({ RequestItems: byTable(shape({ ...read, Keys: list(attributes) })) })
const query = shape({
  ...read,
  TableName: tableName,
  IndexName: asIs,
  KeyConditionExpression: asIs,
  FilterExpression: asIs,
  ExpressionAttributeValues: attributes,
  ExclusiveStartKey: attributes,
  Limit: asIs,
  ScanIndexForward: asIs,
  Select: asIs,
})
const putItem = shape({ ...expression, Item: attributes, ReturnValues: asIs })
const updateItem = shape({ ...update, ReturnValues: asIs })
const transactWriteItems = shape({
  ClientRequestToken: asIs,
  TransactItems: list(
    shape({
      Put: shape({ ...expression, Item: attributes }),
      Update: shape(update),
      Delete: shape({ ...expression, Key: attributes }),
      ConditionCheck: shape({ ...expression, Key: attributes }),
    }),
  ),
})

const operation = (name: string, encode: Encode, decode: HotOperation['decode']): HotOperation => ({
  name,
  encode: (input) => JSON.stringify(encode(input as never)),
  decode,
})
const decodeEach = (items: readonly Attributes[] | undefined): void => items?.forEach(decodeAttributes)

/** The operations of a request for data, by the class of the command. */
export const HOT_OPERATIONS: ReadonlyMap<unknown, HotOperation> = new Map<unknown, HotOperation>([
  [
    GetItemCommand,
    operation('GetItem', getItem, ({ Item }) => {
      if (Item !== undefined) decodeAttributes(Item)
    }),
  ],
  [
    BatchGetItemCommand,
    operation('BatchGetItem', batchGetItem, ({ Responses, UnprocessedKeys }) => {
      for (const items of Object.values(Responses ?? {})) decodeEach(items)
      for (const { Keys } of Object.values(UnprocessedKeys ?? {})) decodeEach(Keys)
    }),
  ],
  [
    QueryCommand,
    operation('Query', query, ({ Items, LastEvaluatedKey }) => {
      decodeEach(Items)
      if (LastEvaluatedKey !== undefined) decodeAttributes(LastEvaluatedKey)
    }),
  ],
  [PutItemCommand, operation('PutItem', putItem, decodeReturned)],
  [UpdateItemCommand, operation('UpdateItem', updateItem, decodeReturned)],
  [
    TransactWriteItemsCommand,
    {
      ...operation('TransactWriteItems', transactWriteItems, () => undefined),
      // like the SDK, which gives a transaction without a token one, so that its own retries are the same transaction
      encode: ({ ClientRequestToken = randomUUID(), ...input }: { ClientRequestToken?: string }) =>
        JSON.stringify(transactWriteItems({ ...input, ClientRequestToken } as never)),
    },
  ],
])

function decodeReturned({ Attributes: returned }: HotOutput): void {
  if (returned !== undefined) decodeAttributes(returned)
}
