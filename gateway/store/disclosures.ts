import { type DynamoDBClient, QueryCommand, type QueryCommandInput, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { StoreUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import { type Item, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** One action of the transaction that writes to the accounting. */
export type DisclosureWrite = TransactWriteItem

/** Digits of a number in a key, so that text order is the order of numbers. */
const DIGITS = 6
/** The numbers of a ledger, and the versions of a study, end here. */
export const MAX_NUMBER = 10 ** DIGITS - 1

const numbered = (number: number): string => String(number).padStart(DIGITS, '0')
const ledger = (tenant: TenantId, patient: string): string => `${tenant}#${patient}`
const given = (tenant: TenantId, patient: string, number: number): string => `${tenant}#${patient}#GIVEN#${numbered(number)}`
// no patient id is empty
const requests = (tenant: TenantId): string => `${tenant}##REQUESTS`
const signOffs = (tenant: TenantId): string => `${tenant}##ACCESS_REVIEWS`
const studies = (tenant: TenantId): string => `${tenant}##STUDIES`

/** The numbered text of a list that only grows. */
export interface NumberedText {
  readonly number: number
  readonly text: string
}

/**
 * The accounting of disclosures, and the sign-offs of access reviews. Entries of a ledger are never changed and never deleted: each has the next number, so that of two
 * writers one fails. Writes happen only in a transaction with their audit record. Reads are consistent. Each read throws StoreUnavailable.
 */
export class DisclosureTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** The entries of a patient's ledger, in order. A missing number is a removed entry. @throws StoreUnavailable */
  async entries(tenant: TenantId, patient: string, signal?: AbortSignal): Promise<readonly NumberedText[]> {
    return numberedTexts(await this.#query(ledger(tenant, patient), signal))
  }

  /** The sign-offs of access reviews of a tenant, in order. A missing number is a removed sign-off. @throws StoreUnavailable */
  async signOffs(tenant: TenantId, signal?: AbortSignal): Promise<readonly NumberedText[]> {
    return numberedTexts(await this.#query(signOffs(tenant), signal))
  }

  /** Returns the write of a sign-off. It fails if there is one with this number. */
  addSignOff(tenant: TenantId, { number, text }: NumberedText): DisclosureWrite {
    return this.#putOnce(signOffs(tenant), numbered(number), { e: { S: text } })
  }

  /** Returns the write of an entry. It fails if the ledger has one with this number. */
  add(tenant: TenantId, patient: string, { number, text }: NumberedText): DisclosureWrite {
    return this.#putOnce(ledger(tenant, patient), numbered(number), { e: { S: text } })
  }

  /** The content of an accounting as it was given, by the number of its request. */
  async given(tenant: TenantId, patient: string, number: number, signal?: AbortSignal): Promise<Uint8Array> {
    const parts = await this.#query(given(tenant, patient, number), signal)
    return Buffer.concat(parts.map((item) => item['v']?.B ?? new Uint8Array()))
  }

  /** Returns the writes of that content. They fail if it exists. */
  addGiven(tenant: TenantId, patient: string, number: number, parts: readonly Uint8Array[]): readonly DisclosureWrite[] {
    return parts.map((part, place) =>
      this.#putOnce(given(tenant, patient, number), numbered(place), { n: { N: String(parts.length) }, v: { B: part } }),
    )
  }

  /** The requests of a tenant as texts, in the order of their keys. */
  async requests(tenant: TenantId, signal?: AbortSignal): Promise<readonly string[]> {
    return (await this.#query(requests(tenant), signal)).map((item) => item['e']?.S ?? '')
  }

  /**
   * Returns the write that puts the present state of a request into the list of the tenant. Write it with the entry of the ledger that
   * changes the request, which keeps writers apart.
   */
  putRequest(tenant: TenantId, id: string, text: string): DisclosureWrite {
    return { Put: { TableName: this.#table, Item: { pk: { S: requests(tenant) }, sk: { S: id }, e: { S: text } } } }
  }

  /** The facts of all studies of a tenant: each version of each study, in the order of protocol and version. */
  async studies(tenant: TenantId, signal?: AbortSignal): Promise<readonly { readonly key: string; readonly text: string }[]> {
    return (await this.#query(studies(tenant), signal)).map((item) => ({ key: item['sk']?.S ?? '', text: item['e']?.S ?? '' }))
  }

  /** Returns the write of a version of a study's facts. It fails if the version exists. */
  addStudy(tenant: TenantId, protocol: string, { number, text }: NumberedText): DisclosureWrite {
    return this.#putOnce(studies(tenant), `${protocol}#${numbered(number)}`, { e: { S: text } })
  }

  #putOnce(pk: string, sk: string, rest: Item): DisclosureWrite {
    const item = { pk: { S: pk }, sk: { S: sk }, ...rest }
    return { Put: { TableName: this.#table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' } }
  }

  async #query(pk: string, signal: AbortSignal | undefined): Promise<readonly Item[]> {
    const items: Item[] = []
    let next: QueryCommandInput['ExclusiveStartKey']
    do {
      this.counter.requests++
      const command = new QueryCommand({
        TableName: this.#table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: pk } },
        ConsistentRead: true,
        ...(next && { ExclusiveStartKey: next }),
      })
      const page = await unavailableOnFailure(this.#client.send(command, { ...(signal && { abortSignal: signal }) }))
      items.push(...(page.Items ?? []))
      next = page.LastEvaluatedKey
    } while (next !== undefined)
    return items
  }
}

/** @throws StoreUnavailable if a number is missing */
function numberedTexts(items: readonly Item[]): readonly NumberedText[] {
  const entries = items.map((item) => ({ number: Number(item['sk']?.S), text: item['e']?.S ?? '' }))
  if (entries.some(({ number }, place) => number !== place + 1)) throw new StoreUnavailable()
  return entries
}
