import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import { type BudgetAccount, hourAfter, type Refusals, type UserAccount } from '../model/budget.ts'
import type { Deadline } from '../model/deadline.ts'
import { StoreUnavailable } from '../model/failures.ts'
import type { RequestCounter } from './batch-get.ts'

const HOUR_SECONDS = 3_600

/**
 * The counts of each user by hour: `t#user` / hour for the values that the user was given, or that processes lease; `hour#SEARCHES` and
 * `hour#REFUSALS`. The values of a client by day: `t#client` / `hour#DAY`, with the first hour of the day. An item expires an hour after
 * its period.
 */
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
   * @returns the sum of the period with the amount; undefined if it was not added. An amount above `most` needs no request
   * @throws StoreUnavailable
   */
  async reserve(account: BudgetAccount, amount: number, most: number, deadline: Deadline): Promise<number | undefined> {
    if (amount > most) return undefined
    try {
      const counts = await this.#add(account, { used: amount }, deadline, {
        // conditions know no arithmetic: what may have been used before is computed here
        ConditionExpression: 'attribute_not_exists(used) OR used <= :room',
        ExpressionAttributeValues: { ':room': { N: String(most - amount) } },
      })
      // an answer without a readable sum must not raise the values that are left
      return counts.used ?? most
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) return undefined
      throw new StoreUnavailable({ cause })
    }
  }

  /**
   * Adds refusals, whatever the sum. An attempt with a lost answer may count twice.
   *
   * @returns the sums of the hour with them
   * @throws StoreUnavailable
   */
  async addRefusals(account: UserAccount, { values, ids }: Refusals, deadline: Deadline): Promise<Refusals> {
    try {
      const counts = await this.#add(account, { deniedValues: values, unknownIds: ids }, deadline, {})
      return { values: counts.deniedValues ?? values, ids: counts.unknownIds ?? ids }
    } catch (cause) {
      throw new StoreUnavailable({ cause })
    }
  }

  async #add<Name extends string>(
    account: BudgetAccount,
    added: Readonly<Record<Name, number>>,
    deadline: Deadline,
    condition: { ConditionExpression?: string; ExpressionAttributeValues?: Record<string, { N: string }> },
  ): Promise<Readonly<Partial<Record<Name, number>>>> {
    const { tenant, hour, kind } = account
    const names = Object.keys(added) as Name[]
    this.counter.requests++
    const { Attributes = {} } = await this.#client.send(
      new UpdateItemCommand({
        TableName: this.#table,
        Key: { pk: { S: `${tenant}#${holderOf(account)}` }, sk: { S: kind === 'VALUES' ? String(hour) : `${hour}#${kind}` } },
        UpdateExpression: `ADD ${names.map((name) => `${name} :${name}`).join(', ')} SET expires = :expires`,
        ...condition,
        ExpressionAttributeValues: {
          ...condition.ExpressionAttributeValues,
          ...Object.fromEntries(names.map((name) => [`:${name}`, { N: String(added[name]) }])),
          ':expires': { N: String((hourAfter(account) + 1) * HOUR_SECONDS) },
        },
        // the function has no right to read an item, and learns the sum from its own update
        ReturnValues: 'UPDATED_NEW',
      }),
      { abortSignal: deadline.signal },
    )
    const sums = names.map((name): [Name, number] => [name, Number(Attributes[name]?.N)])
    return Object.fromEntries(sums.filter(([, sum]) => Number.isSafeInteger(sum))) as Partial<Record<Name, number>>
  }
}

/** The subject or client of a token may be anybody's text: of one length in a key, and not to be read there. */
const holderOf = (account: BudgetAccount): string =>
  createHash('sha256')
    .update(account.kind === 'DAY' ? account.client : account.user)
    .digest('base64url')
