import { type AttributeValue, DeleteItemCommand, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import type { RecordRef, TenantId } from '../../../gateway/model/ids.ts'
import { decodeNodeId } from '../../../gateway/model/node-id.ts'
import type { RunningClinic } from '../../harness/running-clinic.ts'
import { RIVERSIDE } from '../asking.ts'

export type Item = Record<string, AttributeValue>
export type Table = 'RECORDS' | 'HISTORY' | 'ACCESS' | 'BREAK_GLASS' | 'KEYS' | 'SEARCH' | 'COMPARISONS' | 'WORKFORCE'

export function refOf(id: string): RecordRef {
  const ref = decodeNodeId(id)
  if (ref === undefined) throw new Error('no node id')
  return ref
}

const ofPatient = (id: string, sk: string, tenant: TenantId = RIVERSIDE): Item => ({
  pk: { S: `${tenant}#${refOf(id).patient}` },
  sk: { S: sk },
})

/** The key of a record's item. */
export const recordItem = (id: string): Item => ofPatient(id, `${refOf(id).type}#${refOf(id).id}`)
export const indexRoot = (id: string): Item => ofPatient(id, '#INDEX')
export const accessManifest = (id: string): Item => ofPatient(id, '#ROOT')

/** Returns the attribute with one bit changed. */
export function flipped(value: AttributeValue | undefined, place = -1): AttributeValue {
  const copy = Buffer.from(value?.B ?? [])
  const at = place < 0 ? copy.length + place : place
  copy.writeUInt8((copy.at(at) ?? 0) ^ 1, at)
  return { B: copy }
}

/** An attacker with write access to the tables and without keys. */
export class DatabaseHand {
  readonly #clinic: Pick<RunningClinic, 'stack'>

  constructor(clinic: Pick<RunningClinic, 'stack'>) {
    this.#clinic = clinic
  }

  async read(key: Item, table: Table = 'RECORDS'): Promise<Item> {
    const { pk, sk } = key
    const { Item } = await this.#clinic.stack.dynamodb.send(
      new GetItemCommand({ TableName: this.#name(table), Key: { pk: pk ?? { S: '' }, sk: sk ?? { S: '' } }, ConsistentRead: true }),
    )
    if (Item === undefined) throw new Error('no such item')
    return Item
  }

  async put(item: Item, table: Table = 'RECORDS'): Promise<void> {
    await this.#clinic.stack.dynamodb.send(new PutItemCommand({ TableName: this.#name(table), Item: item }))
  }

  async remove({ pk, sk }: Item, table: Table = 'RECORDS'): Promise<void> {
    const Key = { pk: pk ?? { S: '' }, sk: sk ?? { S: '' } }
    await this.#clinic.stack.dynamodb.send(new DeleteItemCommand({ TableName: this.#name(table), Key }))
  }

  /** Returns all items of a patient in a table. */
  async all(id: string, table: Table = 'RECORDS'): Promise<Item[]> {
    const { Items = [] } = await this.#clinic.stack.dynamodb.send(
      new QueryCommand({
        TableName: this.#name(table),
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: `${RIVERSIDE}#${refOf(id).patient}` } },
        ConsistentRead: true,
      }),
    )
    return Items
  }

  /** Swaps the contents of two items. Each item keeps its key. */
  async swap(one: Item, two: Item, table: Table = 'RECORDS'): Promise<void> {
    const [first, second] = [await this.read(one, table), await this.read(two, table)]
    await this.put({ ...second, ...one }, table)
    await this.put({ ...first, ...two }, table)
  }

  #name(table: Table): string {
    const { env } = this.#clinic.stack
    return env[`PHI_TABLE_${table}`]
  }
}
