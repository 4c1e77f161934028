import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { Erased, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from './access-seal.ts'
import type { PatientKeyItem } from './key-table.ts'
import type { RandomBytes } from './parts.ts'
import type { Destroyed } from './patient-keys.ts'
import type { PurposeKey } from './tenant-keys.ts'

// What stands where a patient's keys were, sealed: `docs/sealed-field.md`, tombstones.

/** When the keys of a patient were destroyed, and which versions there were. */
export interface Tombstone {
  /** Milliseconds since the epoch. */
  readonly at: Instant
  readonly versions: readonly number[]
}

const Content = z.strictObject({ at: z.number().int().positive(), versions: z.array(z.number()).min(1) })

/** Where a patient's key item stands, and the only place where its tombstone opens (P6). */
const placeOf = (tenant: TenantId, patient: PatientId): AccessItemPlace => ({
  table: 'keys',
  tenant,
  pk: `${tenant}#${patient}`,
  sk: 'KEY',
})

export function sealTombstone(
  key: PurposeKey<'access'>,
  tenant: TenantId,
  patient: PatientId,
  { at, versions }: Tombstone,
  random: RandomBytes = randomBytes,
): Uint8Array {
  return sealAccessItem(key, placeOf(tenant, patient), { at, versions }, random)
}

/** @throws IntegrityFailure when it was not sealed for this patient's keys; KeyUnavailable when the tenant's key cannot be had */
export function openTombstone(key: PurposeKey<'access'>, tenant: TenantId, patient: PatientId, sealed: Uint8Array): Tombstone {
  const content = Content.safeParse(openAccessItem(key, placeOf(tenant, patient), sealed))
  if (!content.success) throw new IntegrityFailure()
  return { at: content.data.at as Instant, versions: content.data.versions }
}

/**
 * What the item of a patient's keys says of their destruction. A tombstone that does not open, or that stands beside keys, was
 * put there by somebody else: that is no erasure. Undefined where there is none.
 *
 * @param access the tenant's key, or why it cannot be had: then nobody knows whether the tombstone is authentic
 */
export function destroyedBy(
  access: PurposeKey<'access'> | KeyUnavailable | IntegrityFailure,
  tenant: TenantId,
  patient: PatientId,
  { tombstone, versions }: PatientKeyItem,
): Destroyed | undefined {
  if (tombstone === undefined) return undefined
  if (access instanceof Error) return access
  if (versions.length > 0) return new IntegrityFailure()
  try {
    openTombstone(access, tenant, patient, tombstone)
    return new Erased()
  } catch (error) {
    if (error instanceof IntegrityFailure || error instanceof KeyUnavailable) return error
    throw error
  }
}
