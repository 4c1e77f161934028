import { type DynamoDBClient, QueryCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb'
import type { Item } from './item.ts'

/**
 * Reads the pages of a query. A query with a `Limit` has one page.
 *
 * @param enough no page is read after this number of items
 */
export async function queryAll(
  client: Pick<DynamoDBClient, 'send'>,
  input: QueryCommandInput,
  enough = Number.POSITIVE_INFINITY,
): Promise<Item[]> {
  const items: Item[] = []
  let next: QueryCommandInput['ExclusiveStartKey']
  do {
    const page = await client.send(new QueryCommand({ ...input, ...(next && { ExclusiveStartKey: next }) }))
    items.push(...(page.Items ?? []))
    next = input.Limit === undefined ? page.LastEvaluatedKey : undefined
  } while (next !== undefined && items.length < enough)
  return items
}
