import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { AccessItemPlace } from '../crypto/access-seal.ts'
import type { Instant, PatientId, TenantId } from '../vocabulary/ids.ts'
import { batchGet, type Key, type RequestCounter } from './batch-get.ts'

/** One action of the transaction that a grant is written with. */
export type GlassWrite = TransactWriteItem

/** A sealed item and where it stands. */
export interface GlassItem {
  readonly place: AccessItemPlace
  readonly sealed: Uint8Array
}

/** By patient: the root, and the newest grant of one user. */
export interface LoadedGlass {
  readonly roots: ReadonlyMap<PatientId, Uint8Array>
  readonly items: ReadonlyMap<PatientId, Uint8Array>
}

const ROOT = '#ROOT'
/** Digits of a time in milliseconds, so that text is in the order of time. */
const TIME_DIGITS = 14

const at = (tenant: TenantId, pk: string, sk: string): AccessItemPlace => ({ tenant, table: 'break-glass', pk, sk })

/** The newest grant of a user for a patient. @param user a keyed hash of the user's name */
export const glassPlace = (tenant: TenantId, patient: PatientId, user: string): AccessItemPlace =>
  at(tenant, `${tenant}#${patient}`, `USER#${user}`)

/** The list of the newest grants of a patient. */
export const glassRootPlace = (tenant: TenantId, patient: PatientId): AccessItemPlace => at(tenant, `${tenant}#${patient}`, ROOT)

/** A grant in the review queue of its tenant, in the order of time. No patient is called so: an id has 22 characters. */
export const reviewPlace = (tenant: TenantId, since: Instant, id: string): AccessItemPlace =>
  at(tenant, `${tenant}#REVIEW`, `${String(since).padStart(TIME_DIGITS, '0')}#${id}`)

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
  async load(tenant: TenantId, user: string, patients: readonly PatientId[], signal?: AbortSignal): Promise<LoadedGlass> {
    const keys = patients.flatMap((patient): Key[] => [glassPlace(tenant, patient, user), glassRootPlace(tenant, patient)])
    const roots = new Map<PatientId, Uint8Array>()
    const items = new Map<PatientId, Uint8Array>()
    for (const { pk, sk, v } of await batchGet(this.#client, this.counter, this.#table, keys, { signal })) {
      const patient = (pk?.S ?? '').slice(tenant.length + 1) as PatientId
      ;(sk?.S === ROOT ? roots : items).set(patient, v?.B ?? new Uint8Array())
    }
    return { roots, items }
  }

  /** The writing of a root, which fails when it is not any more what was read, and of what the condition on it guards. */
  write(root: GlassItem, before: Uint8Array | undefined, items: readonly GlassItem[]): GlassWrite[] {
    const condition =
      before === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'v = :before', ExpressionAttributeValues: { ':before': { B: before } } }
    return [{ Put: { ...this.#put(root), ...condition } }, ...items.map((item) => ({ Put: this.#put(item) }))]
  }

  #put({ place: { pk, sk }, sealed }: GlassItem): NonNullable<GlassWrite['Put']> {
    return { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk }, v: { B: sealed } } }
  }
}
