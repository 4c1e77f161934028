import { type AttributeValue, type DynamoDBClient, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { AccessItemPlace } from '../crypto/access-seal.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import { batchGet, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** One action of the transaction that a grant is written with. */
export type BreakGlassWrite = TransactWriteItem

/** A sealed item and where it stands. */
export interface BreakGlassItem {
  readonly place: AccessItemPlace
  readonly sealed: Uint8Array
}

/** By patient: the root, and the newest grant of one user. */
export interface LoadedGrants {
  readonly roots: ReadonlyMap<PatientId, Uint8Array>
  readonly items: ReadonlyMap<PatientId, Uint8Array>
}

const ROOT = '#ROOT'
/** Digits of a time in milliseconds, so that text is in the order of time. */
const TIME_DIGITS = 14

const at = (tenant: TenantId, pk: string, sk: string): AccessItemPlace => ({ tenant, table: 'break-glass', pk, sk })

/** The newest grant of a user for a patient. @param user a keyed hash of the user's name */
export const grantPlace = (tenant: TenantId, patient: PatientId, user: string): AccessItemPlace =>
  at(tenant, `${tenant}#${patient}`, `USER#${user}`)

/** The list of the newest grants of a patient. */
export const grantManifestPlace = (tenant: TenantId, patient: PatientId): AccessItemPlace =>
  at(tenant, `${tenant}#${patient}`, ROOT)

/** REVIEW: what nobody has found right or wrong yet. REVIEWED: what somebody has. */
export type ReviewQueueName = 'REVIEW' | 'REVIEWED'

/** A grant in a queue of its tenant, in the order of time. No patient is called so: an id has 22 characters. */
export const queuePlace = (tenant: TenantId, queue: ReviewQueueName, since: Instant, id: string): AccessItemPlace =>
  at(tenant, `${tenant}#${queue}`, `${String(since).padStart(TIME_DIGITS, '0')}#${id}`)

/** Where a text of a grant is sealed for; it stands within the grant, and is opened apart from it. */
export const grantTextPlace = (tenant: TenantId, patient: PatientId, text: 'REASON' | 'NOTE', id: string): AccessItemPlace =>
  at(tenant, `${tenant}#${patient}`, `${text}#${id}`)

/** What the root of a patient calls an item of the patient: of a queue, by queue, time and id. */
export function grantName(patient: PatientId, { tenant, pk, sk }: AccessItemPlace): string {
  return pk === `${tenant}#${patient}` ? sk : `${pk.slice(tenant.length + 1)}#${sk}`
}

const QUEUED = /^(REVIEW|REVIEWED)#(\d{14}#([\w-]{22}))$/

/** The place in a queue that a root names so; undefined for the name of any other item. */
export function queuedAs(tenant: TenantId, name: string): { readonly place: AccessItemPlace; readonly id: string } | undefined {
  const [, queue, sk, id] = QUEUED.exec(name) ?? []
  return queue === undefined || sk === undefined || id === undefined
    ? undefined
    : { place: at(tenant, `${tenant}#${queue}`, sk), id }
}

/** Broken glass. Read consistently; written only in transactions with the audit records that tell of it. */
export class BreakGlassTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * What there is of one user's grants, with the roots of the patients. A write may stand between the two.
   * @throws StoreUnavailable
   */
  async load(tenant: TenantId, user: string, patients: readonly PatientId[], signal?: AbortSignal): Promise<LoadedGrants> {
    const keys = patients.flatMap((patient) => [grantPlace(tenant, patient, user), grantManifestPlace(tenant, patient)])
    return await this.#read(tenant, keys, signal)
  }

  async #read(tenant: TenantId, keys: readonly Key[], signal: AbortSignal | undefined): Promise<LoadedGrants> {
    const roots = new Map<PatientId, Uint8Array>()
    const items = new Map<PatientId, Uint8Array>()
    const wanted = keys.map(({ pk, sk }) => ({ pk, sk }))
    for (const { pk, sk, v } of await batchGet(this.#client, this.counter, this.#table, wanted, { signal })) {
      const patient = (pk?.S ?? '').slice(tenant.length + 1) as PatientId
      ;(sk?.S === ROOT ? roots : items).set(patient, v?.B ?? new Uint8Array())
    }
    return { roots, items }
  }

  /** The roots of patients. @throws StoreUnavailable */
  async roots(tenant: TenantId, patients: readonly PatientId[], signal?: AbortSignal): Promise<ReadonlyMap<PatientId, Uint8Array>> {
    return (
      await this.#read(
        tenant,
        patients.map((patient) => grantManifestPlace(tenant, patient)),
        signal,
      )
    ).roots
  }

  /** @throws StoreUnavailable */
  async item({ pk, sk }: AccessItemPlace, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [{ pk, sk }], { signal })
    return item && (item['v']?.B ?? new Uint8Array())
  }

  /**
   * Up to `limit` grants of a queue, oldest first, after a sort key.
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

  /** The writing of a root, which fails when it is not any more what was read, and of what the condition on it guards. */
  write(
    root: BreakGlassItem,
    before: Uint8Array | undefined,
    items: readonly BreakGlassItem[],
    removed: readonly AccessItemPlace[] = [],
  ): BreakGlassWrite[] {
    const condition =
      before === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'v = :before', ExpressionAttributeValues: { ':before': { B: before } } }
    return [
      { Put: { ...this.#put(root), ...condition } },
      ...items.map((item) => ({ Put: this.#put(item) })),
      ...removed.map(({ pk, sk }) => ({ Delete: { TableName: this.#table, Key: { pk: { S: pk }, sk: { S: sk } } } })),
    ]
  }

  #put({ place: { pk, sk }, sealed }: BreakGlassItem): NonNullable<BreakGlassWrite['Put']> {
    return { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk }, v: { B: sealed } } }
  }
}
