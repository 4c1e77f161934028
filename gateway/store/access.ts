import { type AttributeValue, type DynamoDBClient, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Deadline } from '../model/deadline.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { batchGet, type Item, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** The kinds of access items. Each relates a person or a study to a patient; CONSENTS holds all consents of the patient. */
export type AccessKind = 'CARE_TEAM' | 'SELF' | 'PROXY' | 'STUDY' | 'CONSENTS'

/** Identifies an access item. `subject` is a keyed hash of the person's FHIR identity, or `ALL` for consents. */
export interface AccessKey {
  readonly kind: AccessKind
  readonly patient: PatientId
  readonly subject: string
}

/** An item as stored. Its content is sealed, so that a writer of the table can neither read nor forge it. */
export interface AccessItem extends AccessKey {
  readonly sealed: Uint8Array
  /** The digest of the item that it may replace, or null if it may replace none. Without the member it replaces any item. */
  readonly replaces?: string | null
}

/** The requested items that exist, and the manifests of their patients, read in the same batch. */
export interface LoadedAccess {
  readonly items: readonly AccessItem[]
  /** The sealed list of all items of a patient; absent if the patient does not exist. */
  readonly manifests: ReadonlyMap<PatientId, Uint8Array>
}

/** The keys of one batch read, and its result. */
interface Batch {
  readonly keys: Key[]
  readonly read: Promise<Item[]>
}

const BY_USER = 'byUser'
/** The sort key of manifests. No kind has this name. A manifest has no user, so that it is in no panel. */
const MANIFEST = '#ROOT'

/** The key of an item. The seal of the item is bound to it. */
export const accessKey = (tenant: TenantId, { kind, patient, subject }: AccessKey): Key => ({
  pk: `${tenant}#${patient}`,
  sk: `${kind}#${subject}`,
})

/** The key of a patient's manifest. */
export const accessManifestKey = (tenant: TenantId, patient: PatientId): Key => ({ pk: `${tenant}#${patient}`, sk: MANIFEST })

export class AccessTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }
  /** The batches that still collect keys, by the signal of the waiting request. */
  readonly #gathering = new WeakMap<AbortSignal, Batch>()

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * Loads the requested items that exist, with the manifest of each patient: the manifest proves that a missing item does not
   * exist. A write between the reads of item and manifest looks like tampering, but only once.
   *
   * Loads with the same signal within one tick share a batch, such as memberships and consents of the same patients.
   *
   * @throws StoreUnavailable
   */
  async load(tenant: TenantId, wanted: readonly AccessKey[], signal?: AbortSignal): Promise<LoadedAccess> {
    const byKey = new Map(wanted.map((key) => [`${key.patient}\n${key.kind}#${key.subject}`, key]))
    const keys = wanted.flatMap((key) => [accessKey(tenant, key), accessManifestKey(tenant, key.patient)])
    const manifests = new Map<PatientId, Uint8Array>()
    const items: AccessItem[] = []
    for (const item of await this.#read(keys, signal)) {
      const patient = (item['pk']?.S ?? '').slice(tenant.length + 1) as PatientId
      const sk = item['sk']?.S ?? ''
      const sealed = item['v']?.B ?? new Uint8Array()
      const key = byKey.get(`${patient}\n${sk}`)
      if (sk === MANIFEST) manifests.set(patient, sealed)
      else if (key !== undefined) items.push({ ...key, sealed })
    }
    return { items, manifests }
  }

  async #read(keys: readonly Key[], signal: AbortSignal | undefined): Promise<Item[]> {
    const readKeys = async (wanted: readonly Key[]): Promise<Item[]> =>
      await batchGet(this.#client, this.counter, this.#table, wanted, { signal })
    if (signal === undefined) return await readKeys(keys)
    const batch = this.#gathering.get(signal) ?? this.#gather(signal, readKeys)
    batch.keys.push(...keys)
    try {
      return await batch.read
    } catch (error) {
      if (batch.keys.length === keys.length) throw error
      // a failure of one part must not fail the others: each part is read once more on its own
      return await readKeys(keys)
    }
  }

  #gather(signal: AbortSignal, read: (keys: readonly Key[]) => Promise<Item[]>): Batch {
    const keys: Key[] = []
    const reading = endOfTick().then(async () => {
      this.#gathering.delete(signal)
      return await read(keys)
    })
    const batch = { keys, read: reading }
    this.#gathering.set(signal, batch)
    return batch
  }

  /** @throws StoreUnavailable */
  async manifest(tenant: TenantId, patient: PatientId): Promise<Uint8Array | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [accessManifestKey(tenant, patient)])
    return item && (item['v']?.B ?? new Uint8Array())
  }

  /**
   * Returns up to `limit` patients with an item of the kind for the person, in the order of their ids. The index may lag, and
   * others may write it, so verify each patient's item before you rely on the result.
   *
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
      // a short page does not mean that it is the last one
      next = patients.length < limit ? page.LastEvaluatedKey : undefined
    } while (next !== undefined)
    return patients
  }

  /** Returns the write of a patient's manifest. It fails if the manifest is not `before`, so that no writer loses a change. */
  putManifest(tenant: TenantId, patient: PatientId, manifest: Uint8Array, before: Uint8Array | undefined): TransactWriteItem {
    const { pk, sk } = accessManifestKey(tenant, patient)
    const Item = { pk: { S: pk }, sk: { S: sk }, v: { B: manifest } }
    const condition =
      before === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'v = :before', ExpressionAttributeValues: { ':before': { B: before } } }
    return { Put: { TableName: this.#table, Item, ...condition } }
  }

  /** Returns the write of an item. The condition on the manifest guards it. */
  put(tenant: TenantId, item: AccessItem): TransactWriteItem {
    const { pk, sk } = accessKey(tenant, item)
    return {
      Put: {
        TableName: this.#table,
        Item: {
          pk: { S: pk },
          sk: { S: sk },
          // consents are in no panel: one index key for all of them would be a hot key
          ...(item.kind !== 'CONSENTS' && { user: { S: userKey(tenant, item.kind, item.subject) } }),
          v: { B: item.sealed },
        },
      },
    }
  }
}

/** Resolves after all pending microtasks, so that loads with cached keys join the same batch. */
const endOfTick = (): Promise<void> =>
  new Promise((resolve) => {
    queueMicrotask(() => {
      process.nextTick(resolve)
    })
  })

const userKey = (tenant: TenantId, kind: AccessKind, subject: string): string => `${tenant}#${kind}#${subject}`
