import { BatchWriteItemCommand, type DynamoDBClient, type WriteRequest } from '@aws-sdk/client-dynamodb'
import { randomUUID } from 'node:crypto'
import type { ClinicCaller } from './clinic.ts'
import type { Row } from './rows.ts'
import { AUDIT_TABLE } from './tables.ts'

/** The maximum of a BatchWriteItem. */
const BATCH = 25

/** The audit that a team builds by hand: one item for each disclosed value, in parallel batches, before the response. */
export class AuditWrites {
  readonly #client: DynamoDBClient
  readonly #caller: ClinicCaller
  readonly #request = randomUUID()
  readonly #time = new Date().toISOString()
  readonly #items: WriteRequest[] = []

  constructor(client: DynamoDBClient, caller: ClinicCaller) {
    this.#client = client
    this.#caller = caller
  }

  disclosed({ pk, sk }: Row, path: string): void {
    const { tenant, role, fhirUser } = this.#caller
    this.#items.push({
      PutRequest: {
        Item: {
          patient: pk ?? { S: '' },
          at: { S: `${this.#time}#${this.#request}#${this.#items.length}` },
          user: { S: `${tenant}#${fhirUser}` },
          record: sk ?? { S: '' },
          role: { S: role },
          purpose: { S: 'TREAT' },
          action: { S: 'READ' },
          outcome: { S: 'DISCLOSED' },
          path: { S: path },
        },
      },
    })
  }

  /** Returns after all items are written. */
  async write(): Promise<void> {
    const batches: Promise<void>[] = []
    for (let start = 0; start < this.#items.length; start += BATCH) {
      batches.push(this.#batch(this.#items.slice(start, start + BATCH)))
    }
    await Promise.all(batches)
  }

  async #batch(items: WriteRequest[]): Promise<void> {
    let wanted = items
    while (wanted.length > 0) {
      const { UnprocessedItems } = await this.#client.send(new BatchWriteItemCommand({ RequestItems: { [AUDIT_TABLE]: wanted } }))
      wanted = UnprocessedItems?.[AUDIT_TABLE] ?? []
    }
  }
}
