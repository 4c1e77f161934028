import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { Deadline } from '../model/deadline.ts'
import { StoreUnavailable } from '../model/failures.ts'
import type { TenantId, UserId } from '../model/ids.ts'
import type { RequestCounter } from './batch-get.ts'

const HOUR_SECONDS = 3_600

/** The values that each user was given, or that processes lease for them, by hour: `t#user` / hour. An item expires after its hour. */
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
   * @returns the sum of the hour with the amount; undefined if it was not added. An amount above `most` needs no request
   * @throws StoreUnavailable
   */
  async reserve(
    { tenant, user, hour }: { readonly tenant: TenantId; readonly user: UserId; readonly hour: number },
    amount: number,
    most: number,
    deadline: Deadline,
  ): Promise<number | undefined> {
    if (amount > most) return undefined
    try {
      this.counter.requests++
      const { Attributes } = await this.#client.send(
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
          // the function has no right to read an item, and learns the sum from its own update
          ReturnValues: 'UPDATED_NEW',
        }),
        { abortSignal: deadline.signal },
      )
      // an answer without a readable sum must not raise the values that are left
      const used = Number(Attributes?.['used']?.N)
      return Number.isSafeInteger(used) ? used : most
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) return undefined
      throw new StoreUnavailable({ cause })
    }
  }
}

/** The subject of a token may be anybody's text: of one length in a key, and not to be read there. */
const accountOf = (user: UserId): string => createHash('sha256').update(user).digest('base64url')
