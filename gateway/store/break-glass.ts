import { type AttributeValue, type DynamoDBClient, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { AccessItemPlace } from '../crypto/access-seal.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import { batchGet, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** One action of the transaction that writes a grant. */
export type BreakGlassWrite = TransactWriteItem

/** A sealed item and its place. */
export interface BreakGlassItem {
  readonly place: AccessItemPlace
  readonly sealed: Uint8Array
}

/** The manifests, and the newest grants of one user, by patient. */
export interface LoadedGrants {
  readonly manifests: ReadonlyMap<PatientId, Uint8Array>
  readonly items: ReadonlyMap<PatientId, Uint8Array>
}

/** The sort key of manifests. */
const MANIFEST = '#ROOT'
/** Digits of a time in milliseconds, so that text order is time order. */
const TIME_DIGITS = 14

const at = (tenant: TenantId, pk: string, sk: string): AccessItemPlace => ({ tenant, table: 'break-glass', pk, sk })

/** The place of a user's newest grant for a patient. @param user a keyed hash of the user's name */
export const grantPlace = (tenant: TenantId, patient: PatientId, user: string): AccessItemPlace =>
  at(tenant, `${tenant}#${patient}`, `USER#${user}`)

/** The place of the manifest that lists the grants of a patient. */
export const grantManifestPlace = (tenant: TenantId, patient: PatientId): AccessItemPlace =>
  at(tenant, `${tenant}#${patient}`, MANIFEST)

/** The place of a chunk of that manifest. */
export const grantChunkPlace = (tenant: TenantId, patient: PatientId, number: number): AccessItemPlace =>
  at(tenant, `${tenant}#${patient}`, `${MANIFEST}#${number}`)

/** The place of a group of renewals of a grant. The grant lists the digests of its groups. */
export const renewalsPlace = (tenant: TenantId, patient: PatientId, id: string, group: number): AccessItemPlace =>
  at(tenant, `${tenant}#${patient}`, `RENEWALS#${id}#${group}`)

/** The place of the patients that a user opened within an hour. @param user a keyed hash of the user's name */
export const hourPlace = (tenant: TenantId, user: string): AccessItemPlace => at(tenant, `${tenant}#HOUR`, `USER#${user}`)

/** REVIEW: grants without a final finding. REVIEWED: grants with one. */
export type ReviewQueueName = 'REVIEW' | 'REVIEWED'

/** The place of a grant in a queue of its tenant, in time order. A queue name cannot be a patient id, which has 22 characters. */
export const queuePlace = (tenant: TenantId, queue: ReviewQueueName, since: Instant, id: string): AccessItemPlace =>
  at(tenant, `${tenant}#${queue}`, `${String(since).padStart(TIME_DIGITS, '0')}#${id}`)

/** A text of a grant: the reason of its beginning, the reason of a renewal by its number, or the note of a reviewer. */
export type GrantText = 'REASON' | 'NOTE' | { readonly renewal: number }

/** The place for which a text of a grant is sealed. The text is stored within another item, but opens separately. */
export const grantTextPlace = (tenant: TenantId, patient: PatientId, text: GrantText, id: string): AccessItemPlace =>
  at(tenant, `${tenant}#${patient}`, typeof text === 'string' ? `${text}#${id}` : `REASON#${id}#${text.renewal}`)

/** The name of an item in the manifest of its patient. For a queue item: queue, time and id. */
export function grantName(patient: PatientId, { tenant, pk, sk }: AccessItemPlace): string {
  return pk === `${tenant}#${patient}` ? sk : `${pk.slice(tenant.length + 1)}#${sk}`
}

const QUEUED = /^(REVIEW|REVIEWED)#(\d{14}#[\w-]{22})$/

/** The queue place for a name in a manifest; undefined for the name of any other item. */
export function queuedAs(tenant: TenantId, name: string): AccessItemPlace | undefined {
  const [, queue, sk] = QUEUED.exec(name) ?? []
  return queue === undefined || sk === undefined ? undefined : at(tenant, `${tenant}#${queue}`, sk)
}

/** The names in a manifest between two positions of a queue. Without a position, from its beginning or to its end. */
export const namesOfQueue = (queue: ReviewQueueName, after = '', last = '~'): { readonly from: string; readonly to: string } => ({
  from: `${queue}#${after}`,
  to: `${queue}#${last}`,
})

/** The table of break-glass grants. Reads are consistent. Writes happen only in a transaction with their audit record. */
export class BreakGlassTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * Loads one user's newest grants and the manifests of the patients. A write may happen between the two reads.
   *
   * @throws StoreUnavailable
   */
  async load(tenant: TenantId, user: string, patients: readonly PatientId[], signal?: AbortSignal): Promise<LoadedGrants> {
    const keys = patients.flatMap((patient) => [grantPlace(tenant, patient, user), grantManifestPlace(tenant, patient)])
    return await this.#read(tenant, keys, signal)
  }

  async #read(tenant: TenantId, keys: readonly Key[], signal: AbortSignal | undefined): Promise<LoadedGrants> {
    const manifests = new Map<PatientId, Uint8Array>()
    const items = new Map<PatientId, Uint8Array>()
    const wanted = keys.map(({ pk, sk }) => ({ pk, sk }))
    for (const { pk, sk, v } of await batchGet(this.#client, this.counter, this.#table, wanted, { signal })) {
      const patient = (pk?.S ?? '').slice(tenant.length + 1) as PatientId
      ;(sk?.S === MANIFEST ? manifests : items).set(patient, v?.B ?? new Uint8Array())
    }
    return { manifests, items }
  }

  /** Loads the manifests of patients. @throws StoreUnavailable */
  async manifests(
    tenant: TenantId,
    patients: readonly PatientId[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<PatientId, Uint8Array>> {
    const keys = patients.map((patient) => grantManifestPlace(tenant, patient))
    return (await this.#read(tenant, keys, signal)).manifests
  }

  /** Loads the items of these places. Returns a function that gives the item of a place. @throws StoreUnavailable */
  async items(
    places: readonly AccessItemPlace[],
    signal?: AbortSignal,
  ): Promise<(place: AccessItemPlace) => Uint8Array | undefined> {
    if (places.length === 0) return () => undefined
    const keys = places.map(({ pk, sk }) => ({ pk, sk }))
    const items = await batchGet(this.#client, this.counter, this.#table, keys, { signal })
    const found = new Map(items.map(({ pk, sk, v }) => [`${pk?.S ?? ''}\n${sk?.S ?? ''}`, v?.B ?? new Uint8Array()]))
    return ({ pk, sk }) => found.get(`${pk}\n${sk}`)
  }

  /**
   * Returns up to `limit` grants of a queue after the sort key `after`, oldest first.
   *
   * @throws StoreUnavailable
   */
  async queue(
    tenant: TenantId,
    queue: ReviewQueueName,
    after: string | undefined,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly BreakGlassItem[]> {
    const pk = `${tenant}#${queue}`
    const found: BreakGlassItem[] = []
    let next: Record<string, AttributeValue> | undefined
    do {
      this.counter.requests++
      const command = new QueryCommand({
        TableName: this.#table,
        KeyConditionExpression: after === undefined ? 'pk = :pk' : 'pk = :pk AND sk > :after',
        ExpressionAttributeValues: { ':pk': { S: pk }, ...(after !== undefined && { ':after': { S: after } }) },
        Limit: limit - found.length,
        ConsistentRead: true,
        ...(next && { ExclusiveStartKey: next }),
      })
      const page = await unavailableOnFailure(this.#client.send(command, { ...(signal && { abortSignal: signal }) }))
      for (const { sk, v } of page.Items ?? []) {
        found.push({ place: at(tenant, pk, sk?.S ?? ''), sealed: v?.B ?? new Uint8Array() })
      }
      next = found.length < limit ? page.LastEvaluatedKey : undefined
    } while (next !== undefined)
    return found
  }

  /** Returns the writes of a manifest and its items. They fail if the stored manifest is not `before`. */
  write(
    manifest: BreakGlassItem,
    before: Uint8Array | undefined,
    items: readonly BreakGlassItem[],
    removed: readonly AccessItemPlace[] = [],
  ): BreakGlassWrite[] {
    return [
      this.replace(manifest, before),
      ...items.map((item) => ({ Put: this.#put(item) })),
      ...removed.map(({ pk, sk }) => ({ Delete: { TableName: this.#table, Key: { pk: { S: pk }, sk: { S: sk } } } })),
    ]
  }

  /** Returns the write of an item. It fails if the stored item is not `before`. */
  replace(item: BreakGlassItem, before: Uint8Array | undefined): BreakGlassWrite {
    const condition =
      before === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'v = :before', ExpressionAttributeValues: { ':before': { B: before } } }
    return { Put: { ...this.#put(item), ...condition } }
  }

  #put({ place: { pk, sk }, sealed }: BreakGlassItem): NonNullable<BreakGlassWrite['Put']> {
    return { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk }, v: { B: sealed } } }
  }
}
