import type { AttributeValue, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { SealedPatientAccess } from '../../../gateway/crypto/patient-access.ts'
import type { PurposeKey } from '../../../gateway/crypto/tenant-keys.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { PatientId, TenantId } from '../../../gateway/model/ids.ts'
import { type AccessChange, accessManifestKey, AccessTable, membershipChunkKey } from '../../../gateway/store/access.ts'
import { AccessWriter } from '../../../gateway/store/access-writer.ts'

type Item = Record<string, AttributeValue>

/** An access table in memory. A test can alter its items like an attacker with write access to the database. */
export class MemoryAccessTable extends AccessTable {
  /** Items by partition key and sort key. */
  readonly items = new Map<string, Item>()
  down = false
  loads = 0

  constructor() {
    super(undefined as never, 'access')
  }

  override load(tenant: TenantId, patients: readonly PatientId[]): Promise<ReadonlyMap<PatientId, SealedPatientAccess>> {
    this.loads++
    if (this.down) return Promise.reject(new StoreUnavailable())
    const found = patients.flatMap((patient) => {
      const key = accessManifestKey(tenant, patient)
      const sealed = this.items.get(nameOf(key))?.['v']?.B
      return sealed === undefined ? [] : [[patient, new SealedPatientAccess({ tenant, ...key }, sealed)] as const]
    })
    return Promise.resolve(new Map(found))
  }

  override chunks(
    tenant: TenantId,
    wanted: ReadonlyMap<PatientId, Iterable<number>>,
  ): Promise<ReadonlyMap<PatientId, ReadonlyMap<number, Uint8Array>>> {
    const ofPatient = (patient: PatientId, numbers: Iterable<number>) =>
      [...numbers].flatMap((number) => {
        const sealed = this.items.get(nameOf(membershipChunkKey(tenant, patient, number)))?.['v']?.B
        return sealed === undefined ? [] : [[number, sealed] as const]
      })
    return Promise.resolve(new Map([...wanted].map(([patient, numbers]) => [patient, new Map(ofPatient(patient, numbers))])))
  }

  override patientsOf(): Promise<readonly PatientId[]> {
    return Promise.reject(new Error('A caller without an identity has no panel.'))
  }

  manifest(tenant: TenantId, patient: PatientId): Item | undefined {
    return this.items.get(nameOf(accessManifestKey(tenant, patient)))
  }

  /** The chunks of a patient, in ascending order of their numbers. */
  chunkItems(tenant: TenantId, patient: PatientId): Item[] {
    const { pk, sk } = accessManifestKey(tenant, patient)
    return [...this.items.values()].filter((item) => item['pk']?.S === pk && item['sk']?.S?.startsWith(`${sk}#`) === true)
  }

  /** Stores an item without the gateway, like an attacker with write access to the database. */
  put(item: Item): void {
    this.items.set(nameOf({ pk: item['pk']?.S ?? '', sk: item['sk']?.S ?? '' }), item)
  }

  remove(item: Item): void {
    this.items.delete(nameOf({ pk: item['pk']?.S ?? '', sk: item['sk']?.S ?? '' }))
  }

  /** Writes changes as the gateway does, in one transaction. */
  async write(
    key: PurposeKey<'access'>,
    tenant: TenantId,
    patient: PatientId,
    changes: readonly AccessChange[],
    own?: number,
  ): Promise<TransactWriteItem[]> {
    const isNew = this.manifest(tenant, patient) === undefined
    const writer = await AccessWriter.open({ table: this, key, tenant, patient }, isNew, changes)
    const { items } = writer.write(changes, own)
    for (const { Put } of items) if (Put?.Item !== undefined) this.put(Put.Item)
    return items
  }
}

const nameOf = ({ pk, sk }: { readonly pk: string; readonly sk: string }): string => `${pk} ${sk}`
