import { type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'

/** An item in wire format: binary values are base64. */
export type RawItem = Readonly<Record<string, { readonly B?: string } & Readonly<Record<string, unknown>>>>

interface Page {
  readonly text: string
  /** Parsed only to name the item of a hit, because parsing costs more than searching the text. */
  readonly items: () => readonly RawItem[]
}

/** Every item of a table, as pages of text. Parsing all of them in the SDK would be most of the cost of a scan. */
export async function* scanRaw(client: DynamoDBClient, table: string): AsyncGenerator<Page> {
  let start: Record<string, { S: string }> | undefined
  do {
    const command = new ScanCommand({ TableName: table, ...(start && { ExclusiveStartKey: start }) })
    let text = ''
    command.middlewareStack.add(
      (next) => async (given) => {
        const result = await next(given)
        const response = result.response as { statusCode: number; body: AsyncIterable<Uint8Array> }
        if (response.statusCode === 200) {
          const chunks: Uint8Array[] = []
          for await (const chunk of response.body) chunks.push(chunk)
          text = Buffer.concat(chunks).toString('latin1')
          Object.assign(response, { body: Buffer.from('{}') })
        }
        return result
      },
      // close to the wire, because outer middleware reads the body
      { step: 'deserialize', priority: 'low' },
    )
    await client.send(command)
    const page = text
    const parsed = (): { Items: RawItem[]; LastEvaluatedKey?: typeof start } => JSON.parse(page) as { Items: RawItem[] }
    // Pages before the last one are a megabyte each. The last one, which is mostly the only one, can be left unread.
    start = page.includes('"LastEvaluatedKey"') ? parsed().LastEvaluatedKey : undefined
    yield { text: page, items: () => parsed().Items }
  } while (start !== undefined)
}
