import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { TenantId } from '../model/ids.ts'
import { batchGet, type RequestCounter } from './batch-get.ts'

/** A tenant has no `#`, and no patient is named so: no other partition ends like this one. */
const partition = (tenant: TenantId): string => `${tenant}##RECIPIENTS`

/**
 * The contracts of partners, for the accounting of disclosures. Each is the canonical JSON under its digest, which every audit record of
 * the client has: a reader without any key can check the text. A contract holds no PHI.
 */
export class RecipientTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  /** @param table the table of disclosures */
  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** Returns the write of a contract. The same contract can be written again. @param digest SHA-256 of the text, hex */
  put(tenant: TenantId, digest: string, text: string): TransactWriteItem {
    return { Put: { TableName: this.#table, Item: { pk: { S: partition(tenant) }, sk: { S: digest }, e: { S: text } } } }
  }

  /** The texts of contracts by digest. Reads consistently. @throws StoreUnavailable */
  async load(tenant: TenantId, digests: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, string>> {
    if (digests.length === 0) return new Map()
    const keys = digests.map((sk) => ({ pk: partition(tenant), sk }))
    const items = await batchGet(this.#client, this.counter, this.#table, keys, { signal })
    return new Map(items.map(({ sk, e }) => [sk?.S ?? '', e?.S ?? '']))
  }
}
