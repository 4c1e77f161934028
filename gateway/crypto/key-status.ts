import { KeyUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { KeyChanger } from './key-changes.ts'
import { type KeyTable, type KeyUse, sealingVersion } from './key-table.ts'

/** One version of a tenant key, and the number of keys wrapped under it. */
export interface TenantKeyStatus {
  readonly version: number
  readonly kmsKey: string
  /** Milliseconds since the epoch. Undefined for a version of an older gateway. */
  readonly created: number | undefined
  readonly uses: number
  readonly patientKeys: number
}

/** One version of a purpose key. */
export interface PurposeKeyStatus {
  readonly use: KeyUse
  readonly version: number
  readonly tenantKeyVersion: number
  /** Milliseconds since the epoch. 0 for a first version. */
  readonly sealsFrom: number
  /** INCOMING: processes still load it. CURRENT: new data is under it. FORMER: it opens or finds older data. */
  readonly state: 'INCOMING' | 'CURRENT' | 'FORMER'
}

export interface KeyStatus {
  readonly tenantKeys: readonly TenantKeyStatus[]
  readonly purposeKeys: readonly PurposeKeyStatus[]
  /** Patients with a key item. */
  readonly patients: number
}

/**
 * Lists the versions of a tenant's keys. A version without keys stays listed, although KMS is no longer called for it. It scans the whole
 * keys table.
 *
 * @param now milliseconds since the epoch
 * @throws KeyUnavailable if the tenant has no keys; StoreUnavailable
 */
export async function keyStatus(
  table: Pick<KeyTable, 'load'> & Pick<KeyChanger, 'pages'>,
  tenant: TenantId,
  now: number,
): Promise<KeyStatus> {
  const { tenant: item } = await table.load(tenant, { tenantItem: true, patients: [] })
  if (!item) throw new KeyUnavailable()
  const patientKeys = new Map<number, number>()
  let patients = 0
  for await (const page of table.pages(tenant)) {
    patients += page.size
    for (const { tenantKeyVersion } of [...page.values()].flatMap(({ versions }) => versions)) {
      patientKeys.set(tenantKeyVersion, (patientKeys.get(tenantKeyVersion) ?? 0) + 1)
    }
  }
  const tenantKeys = item.versions.map(({ version, kmsKey, created }) => ({
    version,
    kmsKey,
    created,
    uses: item.uses.filter(({ tenantKeyVersion }) => tenantKeyVersion === version).length,
    patientKeys: patientKeys.get(version) ?? 0,
  }))
  const purposeKeys = item.uses.map(({ use, version, tenantKeyVersion, sealsFrom }): PurposeKeyStatus => {
    const sealing = sealingVersion(
      item.uses.filter((one) => one.use === use),
      now,
    )
    const state = version > sealing ? 'INCOMING' : version === sealing ? 'CURRENT' : 'FORMER'
    return { use, version, tenantKeyVersion, sealsFrom, state }
  })
  return { tenantKeys, purposeKeys, patients }
}
