import { DescribeTableCommand, DynamoDBClient, type KeySchemaElement, ResourceNotFoundException } from '@aws-sdk/client-dynamodb'
import type { WireItem } from '../../bench/store/item-size.ts'

/** Keys of a table or an index: the partition's attribute first. */
type KeyNames = readonly [partition: string, ...sort: string[]]

export interface TableShape {
  readonly key: KeyNames
  readonly indexes: readonly { readonly name: string; readonly key: KeyNames; readonly projected: 'ALL' | ReadonlySet<string> }[]
}

/** The keys and indexes of the tables of an engine, requested once for each table. */
export class TableShapes {
  readonly #client: DynamoDBClient
  readonly #known = new Map<string, TableShape>()

  /** @param engine URL of the engine, without a proxy */
  constructor(engine: string) {
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    this.#client = new DynamoDBClient({ endpoint: engine, region: 'us-east-1', credentials })
  }

  /** Undefined for a missing table: the engine itself reports it. */
  async of(table: string): Promise<TableShape | undefined> {
    const known = this.#known.get(table)
    if (known) return known
    try {
      const { Table } = await this.#client.send(new DescribeTableCommand({ TableName: table }))
      const key = keyNames(Table?.KeySchema)
      const shape: TableShape = {
        key,
        indexes: (Table?.GlobalSecondaryIndexes ?? []).map(({ IndexName = '', KeySchema, Projection }) => {
          const own = keyNames(KeySchema)
          const named = new Set([...key, ...own, ...(Projection?.NonKeyAttributes ?? [])])
          return { name: IndexName, key: own, projected: Projection?.ProjectionType === 'ALL' ? 'ALL' : named }
        }),
      }
      this.#known.set(table, shape)
      return shape
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined
      throw error
    }
  }

  close(): void {
    this.#client.destroy()
  }
}

function keyNames(schema: readonly KeySchemaElement[] | undefined): KeyNames {
  const [partition, ...sort] = (schema ?? [])
    .toSorted((a) => (a.KeyType === 'HASH' ? -1 : 1))
    .map(({ AttributeName = '' }) => AttributeName)
  return [partition ?? '', ...sort]
}

/** A text of the item's values at these keys; undefined if one is missing, because an index then omits the item. */
export function keyText(item: WireItem, names: readonly string[]): string | undefined {
  const values = names.map((name) => item[name])
  return values.includes(undefined) ? undefined : JSON.stringify(values)
}
