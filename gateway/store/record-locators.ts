import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import * as z from 'zod'
import type { TypeName } from '../../directives/coordinates.ts'
import { openAccessItem, sealAccessItem } from '../crypto/access-seal.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
import type { SourceIdentifier, SourceVersion } from '../model/source.ts'
import { batchGet, type Key, type RequestCounter } from './batch-get.ts'

/** A membership in the access manifest of a patient. */
export interface LocatedMembership {
  readonly patient: PatientId
  /** `kind#subject`. */
  readonly name: string
}

/**
 * The current version of one resource of the source, and the places of everything that follows from it. An import finds here the chart
 * that a resource is in, whatever patient its new version names.
 */
export interface RecordLocator {
  readonly version: SourceVersion
  /** SHA-256 (base64url) of the resource in this version. Empty for a deletion. */
  readonly digest: string
  /** WITHDRAWN: no chart has the resource. */
  readonly status: 'CURRENT' | 'WITHDRAWN'
  readonly records: readonly RecordRef[]
  /** Records that other resources may give too. */
  readonly shared: readonly RecordRef[]
  readonly members: readonly LocatedMembership[]
  /** The patient with the consents of the resource. */
  readonly consentOf?: PatientId
  /** The resources that give a shared record, or the patients with an identifier. The locator is then that of the record or identifier. */
  readonly holders: readonly RecordId[]
  /** The identifiers of a patient. Only the locator of the patient's own resource has them. */
  readonly identifiers: readonly SourceIdentifier[]
  /** Digests of the versions before the withdrawal, newest first. */
  readonly former: readonly string[]
}

/** A locator as stored. */
export interface StoredLocator {
  readonly locator: RecordLocator
  readonly sealed: Uint8Array
}

const text = z.string()
const Ref = z.tuple([text, text, text])
const Content = z.strictObject({
  versionId: text.optional(),
  lastUpdated: text.optional(),
  digest: text,
  status: z.enum(['CURRENT', 'WITHDRAWN']),
  records: z.array(Ref).optional(),
  shared: z.array(Ref).optional(),
  members: z.array(z.tuple([text, text])).optional(),
  consentOf: text.optional(),
  holders: z.array(text).optional(),
  identifiers: z.array(z.tuple([text, text, text])).optional(),
  former: z.array(text).optional(),
})

/** No patient has this id. */
const locatorKey = (tenant: TenantId, id: RecordId): Key => ({ pk: `${tenant}##SOURCE#${id}`, sk: '#SOURCE' })

/** The record locators of a tenant: one sealed item for each resource of the source, in a partition of its own. */
export class LocatorTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  /** @param table the table of records */
  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * Reads the locators of resources, a hundred in each request. Resources that no import has read are absent.
   *
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  async load(tenant: TenantId, key: PurposeKey<'access'>, ids: readonly RecordId[]): Promise<ReadonlyMap<RecordId, StoredLocator>> {
    const byPartition = new Map(ids.map((id) => [locatorKey(tenant, id).pk, id]))
    const keys = ids.map((id) => locatorKey(tenant, id))
    const found = new Map<RecordId, StoredLocator>()
    for (const item of await batchGet(this.#client, this.counter, this.#table, keys)) {
      const id = byPartition.get(item['pk']?.S ?? '')
      if (id === undefined) continue
      const sealed = item['v']?.B ?? new Uint8Array()
      found.set(id, { sealed, locator: opened(openAccessItem(key, placeOf(tenant, id), sealed)) })
    }
    return found
  }

  /** Returns the write of a locator. It fails if the stored locator is not `before`, so that no import loses a change of another. */
  put(
    tenant: TenantId,
    key: PurposeKey<'access'>,
    id: RecordId,
    locator: RecordLocator,
    before: Uint8Array | undefined,
  ): TransactWriteItem {
    const { pk, sk } = locatorKey(tenant, id)
    const condition =
      before === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'v = :before', ExpressionAttributeValues: { ':before': { B: before } } }
    const sealed = sealAccessItem(key, placeOf(tenant, id), contentOf(locator))
    return { Put: { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk }, v: { B: sealed } }, ...condition } }
  }
}

const placeOf = (tenant: TenantId, id: RecordId) => ({ table: 'records', tenant, ...locatorKey(tenant, id) }) as const

const rowOf = ({ type, patient, id }: RecordRef) => [type, patient, id]
const refOf = ([type, patient, id]: [string, string, string]): RecordRef => ({
  type: type as TypeName,
  patient: patient as PatientId,
  id: id as RecordId,
})

const identifierOf = ([id, since, until]: [string, string, string]): SourceIdentifier => ({
  id: id as RecordId,
  ...(since !== '' && { since }),
  ...(until !== '' && { until }),
})

/** Lists without entries are omitted, because most locators have one record only. */
function contentOf({ version, digest, status, records, shared, members, consentOf, holders, identifiers, former }: RecordLocator) {
  return {
    ...version,
    digest,
    status,
    ...(records.length > 0 && { records: records.map(rowOf) }),
    ...(shared.length > 0 && { shared: shared.map(rowOf) }),
    ...(members.length > 0 && { members: members.map(({ patient, name }) => [patient, name]) }),
    ...(consentOf !== undefined && { consentOf }),
    ...(holders.length > 0 && { holders: [...holders] }),
    ...(identifiers.length > 0 && { identifiers: identifiers.map(({ id, since = '', until = '' }) => [id, since, until]) }),
    ...(former.length > 0 && { former: [...former] }),
  }
}

function opened(content: unknown): RecordLocator {
  const parsed = Content.safeParse(content)
  if (!parsed.success) throw new IntegrityFailure()
  const { versionId, lastUpdated, digest, status, records = [], shared = [], members = [], consentOf, ...lists } = parsed.data
  return {
    version: { ...(versionId !== undefined && { versionId }), ...(lastUpdated !== undefined && { lastUpdated }) },
    digest,
    status,
    records: records.map(refOf),
    shared: shared.map(refOf),
    members: members.map(([patient, name]) => ({ patient: patient as PatientId, name })),
    ...(consentOf !== undefined && { consentOf: consentOf as PatientId }),
    holders: (lists.holders ?? []) as RecordId[],
    identifiers: (lists.identifiers ?? []).map(identifierOf),
    former: lists.former ?? [],
  }
}

/** The patient of the parts that a locator names. Undefined if it names none. */
export function locatedPatient(stored: StoredLocator | undefined): PatientId | undefined {
  const { records = [], shared = [], members = [], consentOf } = stored?.locator ?? {}
  return [...records, ...shared, ...members][0]?.patient ?? consentOf
}
