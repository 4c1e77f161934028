import { type AttributeValue, type DynamoDBClient, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { AbsentPatientAccess } from '../crypto/decoy-openings.ts'
import { SealedPatientAccess } from '../crypto/patient-access.ts'
import type { Deadline } from '../model/deadline.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { batchGet, type Item, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** The kinds of memberships. Each relates a person or a study to a patient. */
export type AccessKind = 'CARE_TEAM' | 'SELF' | 'PROXY' | 'STUDY'

/** Identifies a membership. `subject` is the token of a person or study. */
export interface AccessKey {
  readonly kind: AccessKind
  readonly patient: PatientId
  readonly subject: string
}

/** A new or changed membership. */
export interface MembershipChange extends AccessKey {
  readonly content: Json
  /** The content that it was made from; null for a new membership. It may replace only this content. Absent: it may replace any. */
  readonly before?: Json
}

/** The new list of a patient's consents. It may replace only the list that it was made from. */
export interface ConsentsChange {
  readonly kind: 'CONSENTS'
  readonly patient: PatientId
  readonly consents: readonly Json[]
  readonly before: readonly Json[]
}

/** A change of a patient's access manifest. */
export type AccessChange = MembershipChange | ConsentsChange

/** The keys of one batch read, and its result. */
interface Batch {
  readonly keys: Key[]
  readonly read: Promise<Item[]>
}

const BY_USER = 'byUser'
/** The sort key of access manifests. No kind has this name. A manifest has no user, so that it is in no panel. */
const MANIFEST = '#ROOT'

/** The name of a membership in its manifest, and the sort key of its entry in the index by user. */
export const membershipName = ({ kind, subject }: Pick<AccessKey, 'kind' | 'subject'>): string => `${kind}#${subject}`

/** The key of a patient's access manifest. The seal of the manifest is bound to it. */
export const accessManifestKey = (tenant: TenantId, patient: PatientId): Key => ({ pk: `${tenant}#${patient}`, sk: MANIFEST })

/** The key of a chunk of memberships. The seal of the chunk is bound to it. */
export const membershipChunkKey = (tenant: TenantId, patient: PatientId, number: number): Key => ({
  pk: `${tenant}#${patient}`,
  sk: `${MANIFEST}#${number}`,
})

/** The key of the item with a patient's legal holds and erasure. The seal of the item is bound to it. */
export const erasureKey = (tenant: TenantId, patient: PatientId): Key => ({ pk: `${tenant}#${patient}`, sk: '#ERASURE' })

/** In the index by user, the unfinished erasures of a tenant are under this name. No kind has it. */
const UNFINISHED = '#ERASURE'

/** The table of access manifests: the form of its items, and how they are read and written. Opens nothing. */
export class AccessTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }
  /** The batches that still collect keys, by the signal of the waiting request. */
  readonly #gathering = new WeakMap<AbortSignal, Batch>()
  /** The manifest of an item. All loads that share a batch get the same object, so that it is opened once. */
  readonly #manifests = new WeakMap<Item, SealedPatientAccess>()
  /** The absent manifests of a batch, which its loads share as well. */
  readonly #absent = new WeakMap<readonly Item[], Map<PatientId, AbsentPatientAccess>>()

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * Loads the access manifests of patients, with an entry for each patient.
   *
   * Loads with the same signal within one tick share a batch and its manifests, such as those for memberships and consents.
   *
   * @throws StoreUnavailable
   */
  async load(
    tenant: TenantId,
    patients: readonly PatientId[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<PatientId, SealedPatientAccess | AbsentPatientAccess>> {
    const read = await this.#read(
      patients.map((patient) => accessManifestKey(tenant, patient)),
      signal,
    )
    const byPatient = new Map(read.map((item) => [patientOf(tenant, item), item]))
    return new Map(
      patients.map((patient) => {
        const item = byPatient.get(patient)
        return [patient, item === undefined ? this.#absence(read, patient) : this.#sealed(tenant, patient, item)]
      }),
    )
  }

  /** Loads chunks of memberships, by patient and number. Missing chunks are absent. @throws StoreUnavailable */
  async chunks(
    tenant: TenantId,
    wanted: ReadonlyMap<PatientId, Iterable<number>>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<PatientId, ReadonlyMap<number, Uint8Array>>> {
    const found = new Map<PatientId, Map<number, Uint8Array>>([...wanted.keys()].map((patient) => [patient, new Map()]))
    const keys = [...wanted].flatMap(([patient, numbers]) =>
      [...numbers].map((number) => membershipChunkKey(tenant, patient, number)),
    )
    if (keys.length === 0) return found
    for (const item of await batchGet(this.#client, this.counter, this.#table, keys, { signal })) {
      found.get(patientOf(tenant, item))?.set(Number((item['sk']?.S ?? '').slice(MANIFEST.length + 1)), contentOf(item))
    }
    return found
  }

  #sealed(tenant: TenantId, patient: PatientId, item: Item): SealedPatientAccess {
    const known = this.#manifests.get(item)
    if (known !== undefined) return known
    const manifest = new SealedPatientAccess({ tenant, ...accessManifestKey(tenant, patient) }, contentOf(item))
    this.#manifests.set(item, manifest)
    return manifest
  }

  #absence(read: readonly Item[], patient: PatientId): AbsentPatientAccess {
    const absent = this.#absent.get(read) ?? new Map<PatientId, AbsentPatientAccess>()
    const one = absent.get(patient) ?? new AbsentPatientAccess()
    this.#absent.set(read, absent.set(patient, one))
    return one
  }

  async #read(keys: readonly Key[], signal: AbortSignal | undefined): Promise<Item[]> {
    if (signal === undefined) return await batchGet(this.#client, this.counter, this.#table, keys)
    const batch = this.#gathering.get(signal) ?? this.#gather(signal)
    batch.keys.push(...keys)
    return await batch.read
  }

  #gather(signal: AbortSignal): Batch {
    const keys: Key[] = []
    const read = endOfTick().then(async () => {
      this.#gathering.delete(signal)
      return await batchGet(this.#client, this.counter, this.#table, keys, { signal })
    })
    const batch = { keys, read }
    this.#gathering.set(signal, batch)
    return batch
  }

  /**
   * Returns up to `limit` patients with an entry of the kind for the person, in the order of their ids. The index may lag, and
   * others may write it, so verify each patient's membership before you rely on the result.
   *
   * @throws StoreUnavailable
   */
  async patientsOf(
    tenant: TenantId,
    kind: AccessKind,
    subject: string,
    after: PatientId | undefined,
    limit: number,
    deadline: Deadline,
  ): Promise<readonly PatientId[]> {
    return await this.#indexed(tenant, userKey(tenant, { kind, subject }), after, limit, deadline)
  }

  /**
   * Returns up to `limit` patients with an unfinished erasure, in the order of their ids. As with `patientsOf`, open the erasure of each
   * patient before you rely on the result.
   *
   * @throws StoreUnavailable
   */
  async unfinishedErasures(
    tenant: TenantId,
    after: PatientId | undefined,
    limit: number,
    deadline: Deadline,
  ): Promise<readonly PatientId[]> {
    return await this.#indexed(tenant, unfinishedKey(tenant), after, limit, deadline)
  }

  async #indexed(tenant: TenantId, user: string, after: PatientId | undefined, limit: number, { signal }: Deadline) {
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
              ':user': { S: user },
              ...(after !== undefined && { ':after': { S: `${tenant}#${after}` } }),
            },
            Limit: limit - patients.length,
            ...(next && { ExclusiveStartKey: next }),
          }),
          { abortSignal: signal },
        ),
      )
      patients.push(...(page.Items ?? []).map((item) => patientOf(tenant, item)))
      // a short page does not mean that it is the last one
      next = patients.length < limit ? page.LastEvaluatedKey : undefined
    } while (next !== undefined)
    return patients
  }

  /** Returns the write of a patient's manifest. It fails if the manifest is not `before`, so that no writer loses a change. */
  putManifest(tenant: TenantId, patient: PatientId, manifest: Uint8Array, before: Uint8Array | undefined): TransactWriteItem {
    const condition =
      before === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'v = :before', ExpressionAttributeValues: { ':before': { B: before } } }
    return this.#put(accessManifestKey(tenant, patient), { v: { B: manifest } }, condition)
  }

  /** Returns the write of a chunk. The condition on the manifest guards it. */
  putChunk(tenant: TenantId, patient: PatientId, number: number, chunk: Uint8Array): TransactWriteItem {
    return this.#put(membershipChunkKey(tenant, patient, number), { v: { B: chunk } })
  }

  /** Returns the sealed item with a patient's legal holds and erasure; undefined if there is none. @throws StoreUnavailable */
  async erasure(tenant: TenantId, patient: PatientId): Promise<Uint8Array | undefined> {
    return (await this.erasures(tenant, [patient])).get(patient)
  }

  /** Loads these items of several patients. A patient without one is absent. @throws StoreUnavailable */
  async erasures(tenant: TenantId, patients: readonly PatientId[]): Promise<ReadonlyMap<PatientId, Uint8Array>> {
    if (patients.length === 0) return new Map()
    const keys = patients.map((patient) => erasureKey(tenant, patient))
    const items = await batchGet(this.#client, this.counter, this.#table, keys)
    return new Map(items.map((item) => [patientOf(tenant, item), contentOf(item)]))
  }

  /** Returns the write of that item. The condition on the manifest guards it. @param isUnfinished whether it has an unfinished erasure */
  putErasure(tenant: TenantId, patient: PatientId, sealed: Uint8Array, isUnfinished: boolean): TransactWriteItem {
    const indexed: Item = isUnfinished ? { user: { S: unfinishedKey(tenant) } } : {}
    return this.#put(erasureKey(tenant, patient), { v: { B: sealed }, ...indexed })
  }

  /** Returns the write of a membership's entry in the index by user. */
  putEntry(tenant: TenantId, key: AccessKey): TransactWriteItem {
    return this.#put({ pk: `${tenant}#${key.patient}`, sk: membershipName(key) }, { user: { S: userKey(tenant, key) } })
  }

  #put({ pk, sk }: Key, attributes: Item, condition: Omit<NonNullable<TransactWriteItem['Put']>, 'TableName' | 'Item'> = {}) {
    return { Put: { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk }, ...attributes }, ...condition } }
  }
}

/** Resolves after all pending microtasks, so that loads with cached keys join the same batch. */
const endOfTick = (): Promise<void> =>
  new Promise((resolve) => {
    queueMicrotask(() => {
      process.nextTick(resolve)
    })
  })

const userKey = (tenant: TenantId, membership: Pick<AccessKey, 'kind' | 'subject'>): string =>
  `${tenant}#${membershipName(membership)}`
const unfinishedKey = (tenant: TenantId): string => `${tenant}#${UNFINISHED}`
const patientOf = (tenant: TenantId, { pk }: Item): PatientId => (pk?.S ?? '').slice(tenant.length + 1) as PatientId
const contentOf = ({ v }: Item): Uint8Array => v?.B ?? new Uint8Array()
