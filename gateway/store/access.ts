import { type AttributeValue, type DynamoDBClient, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Deadline } from '../model/deadline.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { batchGet, type Item, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** The kinds of items that stand between a person, or a study, and a patient; CONSENTS is what the patient has said of all of them. */
export type AccessKind = 'CARE_TEAM' | 'SELF' | 'PROXY' | 'STUDY' | 'CONSENTS'

/** Whose item: the patient and, by a keyed hash of their FHIR identity, the person; `ALL` of consents. */
export interface AccessKey {
  readonly kind: AccessKind
  readonly patient: PatientId
  readonly subject: string
}

/** An item as it lies there: its content is sealed, so that a writer of the table can neither read nor make one. */
export interface AccessItem extends AccessKey {
  readonly sealed: Uint8Array
  /** The digest of the item that it was made from, null for none: it is written over no other. Left out where any will do. */
  readonly replaces?: string | null
}

/** What was found of the items asked for, and the roots of their patients, read in the same batch. */
export interface LoadedAccess {
  readonly items: readonly AccessItem[]
  /** The sealed list of all items of a patient; none where there is no such patient. */
  readonly roots: ReadonlyMap<PatientId, Uint8Array>
}

/** Keys that are read together, and the reading of them. */
interface Batch {
  readonly keys: Key[]
  readonly read: Promise<Item[]>
}

const BY_USER = 'byUser'
/** No kind is called so. Without a user, the root is in no panel. */
const ROOT = '#ROOT'

/** The key of an item, which its seal is bound to. */
export const accessKey = (tenant: TenantId, { kind, patient, subject }: AccessKey): Key => ({
  pk: `${tenant}#${patient}`,
  sk: `${kind}#${subject}`,
})

/** The key of a patient's root. */
export const accessManifestKey = (tenant: TenantId, patient: PatientId): Key => ({ pk: `${tenant}#${patient}`, sk: ROOT })

export class AccessTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }
  /** What is about to be read, by the signal of who waits for it. */
  readonly #gathering = new WeakMap<AbortSignal, Batch>()

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * The items that exist among those asked for, with the root of each patient: what a root says of an item that is not there
   * is as good as the item. A write may stand between the two, which looks like tampering once.
   *
   * What is asked within one tick with the same signal, as memberships and consents of the same patients are, is one batch.
   * @throws StoreUnavailable
   */
  async load(tenant: TenantId, wanted: readonly AccessKey[], signal?: AbortSignal): Promise<LoadedAccess> {
    const byKey = new Map(wanted.map((key) => [`${key.patient}\n${key.kind}#${key.subject}`, key]))
    const keys = wanted.flatMap((key) => [accessKey(tenant, key), accessManifestKey(tenant, key.patient)])
    const roots = new Map<PatientId, Uint8Array>()
    const items: AccessItem[] = []
    for (const item of await this.#read(keys, signal)) {
      const patient = (item['pk']?.S ?? '').slice(tenant.length + 1) as PatientId
      const sk = item['sk']?.S ?? ''
      const sealed = item['v']?.B ?? new Uint8Array()
      const key = byKey.get(`${patient}\n${sk}`)
      if (sk === ROOT) roots.set(patient, sealed)
      else if (key !== undefined) items.push({ ...key, sealed })
    }
    return { items, roots }
  }

  async #read(keys: readonly Key[], signal: AbortSignal | undefined): Promise<Item[]> {
    const alone = async (wanted: readonly Key[]): Promise<Item[]> =>
      await batchGet(this.#client, this.counter, this.#table, wanted, { signal })
    if (signal === undefined) return await alone(keys)
    const batch = this.#gathering.get(signal) ?? this.#gather(signal, alone)
    batch.keys.push(...keys)
    try {
      return await batch.read
    } catch (error) {
      if (batch.keys.length === keys.length) throw error
      // what keeps one part of the batch back must not keep back the others: each part is asked for once more by itself
      return await alone(keys)
    }
  }

  #gather(signal: AbortSignal, read: (keys: readonly Key[]) => Promise<Item[]>): Batch {
    const keys: Key[] = []
    const begun = endOfTick().then(async () => {
      this.#gathering.delete(signal)
      return await read(keys)
    })
    const batch = { keys, read: begun }
    this.#gathering.set(signal, batch)
    return batch
  }

  /** @throws StoreUnavailable */
  async root(tenant: TenantId, patient: PatientId): Promise<Uint8Array | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [accessManifestKey(tenant, patient)])
    return item && (item['v']?.B ?? new Uint8Array())
  }

  /**
   * Up to `limit` patients that a person stands in some relation to, in the order of their ids. The index may lag and may
   * be written by others: who is in it is asked again, item by item, before anything follows from it.
   * @throws StoreUnavailable
   */
  async patientsOf(
    tenant: TenantId,
    kind: AccessKind,
    subject: string,
    after: PatientId | undefined,
    limit: number,
    { signal }: Deadline,
  ): Promise<readonly PatientId[]> {
    const patients: PatientId[] = []
    let next: Record<string, AttributeValue> | undefined
    do {
      this.counter.requests++
      const page = await unavailableOnFailure(
        this.#client.send(
          new QueryCommand({
            TableName: this.#table,
            IndexName: BY_USER,
            KeyConditionExpression: after === undefined ? '#user = :user' : '#user = :user AND pk > :after',
            ExpressionAttributeNames: { '#user': 'user' },
            ExpressionAttributeValues: {
              ':user': { S: userKey(tenant, kind, subject) },
              ...(after !== undefined && { ':after': { S: `${tenant}#${after}` } }),
            },
            Limit: limit - patients.length,
            ...(next && { ExclusiveStartKey: next }),
          }),
          { abortSignal: signal },
        ),
      )
      patients.push(...(page.Items ?? []).map(({ pk }) => (pk?.S ?? '').slice(tenant.length + 1) as PatientId))
      // a page may end early, and that says nothing of whether there is more
      next = patients.length < limit ? page.LastEvaluatedKey : undefined
    } while (next !== undefined)
    return patients
  }

  /** The writing of a patient's root, which fails when it was changed in between: no writer loses another's change. */
  putRoot(tenant: TenantId, patient: PatientId, root: Uint8Array, before: Uint8Array | undefined): TransactWriteItem {
    const { pk, sk } = accessManifestKey(tenant, patient)
    const Item = { pk: { S: pk }, sk: { S: sk }, v: { B: root } }
    const condition =
      before === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'v = :before', ExpressionAttributeValues: { ':before': { B: before } } }
    return { Put: { TableName: this.#table, Item, ...condition } }
  }

  /** The writing of an item, which the condition on the root guards. */
  put(tenant: TenantId, item: AccessItem): TransactWriteItem {
    const { pk, sk } = accessKey(tenant, item)
    return {
      Put: {
        TableName: this.#table,
        Item: {
          pk: { S: pk },
          sk: { S: sk },
          // consents are nobody's panel: one key for all of them would be written by everybody at once
          ...(item.kind !== 'CONSENTS' && { user: { S: userKey(tenant, item.kind, item.subject) } }),
          v: { B: item.sealed },
        },
      },
    }
  }
}

/** After all that follows without waiting from what was begun: keys that are in memory are had by then. */
const endOfTick = (): Promise<void> =>
  new Promise((resolve) => {
    queueMicrotask(() => {
      process.nextTick(resolve)
    })
  })

const userKey = (tenant: TenantId, kind: AccessKind, subject: string): string => `${tenant}#${kind}#${subject}`
