import { type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb'

/** An item as it travels: binary values in base64. */
export type RawItem = Readonly<Record<string, { readonly B?: string } & Readonly<Record<string, unknown>>>>

interface Page {
  readonly text: string
  /** Read only when somebody needs to know which item it was: that costs more than to search the text. */
  readonly items: () => readonly RawItem[]
}

/** Every item of a table, as pages of text. The SDK would make objects of all of them, which is most of what a scan costs. */
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
      // next to the wire: what stands further out reads the body
      { step: 'deserialize', priority: 'low' },
    )
    await client.send(command)
    const page = text
    const parsed = (): { Items: RawItem[]; LastEvaluatedKey?: typeof start } => JSON.parse(page) as { Items: RawItem[] }
    // the pages before the last are a megabyte each; the last one, mostly the only one, need not be read at all
    start = page.includes('"LastEvaluatedKey"') ? parsed().LastEvaluatedKey : undefined
    yield { text: page, items: () => parsed().Items }
  } while (start !== undefined)
}
