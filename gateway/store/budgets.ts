import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { Deadline } from '../model/deadline.ts'
import { StoreUnavailable } from '../model/failures.ts'
import type { TenantId, UserId } from '../model/ids.ts'
import type { RequestCounter } from './batch-get.ts'

const HOUR_SECONDS = 3_600

/** How many values each user was given, hour by hour: `t#user` / hour. An item is of no use after its hour, and expires. */
export class BudgetTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * Adds an amount in one conditional update, so that any number of processes never add more than `most` together. An attempt
   * whose answer was lost may count twice: it errs to the side that gives less.
   *
   * @returns whether it was added; an amount above `most` is not, without a request
   * @throws StoreUnavailable
   */
  async reserve(
    { tenant, user, hour }: { readonly tenant: TenantId; readonly user: UserId; readonly hour: number },
    amount: number,
    most: number,
    deadline: Deadline,
  ): Promise<boolean> {
    if (amount > most) return false
    try {
      this.counter.requests++
      await this.#client.send(
        new UpdateItemCommand({
          TableName: this.#table,
          Key: { pk: { S: `${tenant}#${accountOf(user)}` }, sk: { S: String(hour) } },
          UpdateExpression: 'ADD used :amount SET expires = :expires',
          // conditions know no arithmetic: what may have been used before is computed here
          ConditionExpression: 'attribute_not_exists(used) OR used <= :room',
          ExpressionAttributeValues: {
            ':amount': { N: String(amount) },
            ':room': { N: String(most - amount) },
            ':expires': { N: String((hour + 2) * HOUR_SECONDS) },
          },
        }),
        { abortSignal: deadline.signal },
      )
      return true
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) return false
      throw new StoreUnavailable({ cause })
    }
  }
}

/** The subject of a token may be anybody's text: of one length in a key, and not to be read there. */
const accountOf = (user: UserId): string => createHash('sha256').update(user).digest('base64url')
