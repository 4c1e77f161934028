import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { Erased, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import { type AccessItemPlace, openAccessItem, sealAccessItem } from './access-seal.ts'
import type { PatientKeyItem } from './key-table.ts'
import type { RandomBytes } from './parts.ts'
import type { Destruction } from './patient-keys.ts'
import type { PurposeKey } from './tenant-keys.ts'

// The sealed tombstone that replaces a patient's keys: `docs/sealed-field.md` section 7.

/** Records the destruction of a patient's keys: its time and the versions of the keys. */
export interface Tombstone {
  /** Milliseconds since the epoch. */
  readonly at: Instant
  readonly versions: readonly number[]
}

const Content = z.strictObject({ at: z.number().int().positive(), versions: z.array(z.number()).min(1) })

/** The place of a patient's key item. The tombstone opens only there (P6). */
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

/** @throws IntegrityFailure if the bytes do not belong to this patient's keys; KeyUnavailable if the tenant's key is unavailable */
export function openTombstone(key: PurposeKey<'access'>, tenant: TenantId, patient: PatientId, sealed: Uint8Array): Tombstone {
  const content = Content.safeParse(openAccessItem(key, placeOf(tenant, patient), sealed))
  if (!content.success) throw new IntegrityFailure()
  return { at: content.data.at as Instant, versions: content.data.versions }
}

/**
 * Verifies the tombstone in a patient's key item. A tombstone that does not open, or that exists beside keys, is forged and
 * therefore no erasure.
 *
 * @param access the tenant's key, or the failure to load it; a failure leaves open whether the tombstone is authentic
 * @returns undefined if the item has no tombstone
 */
export function readDestruction(
  access: PurposeKey<'access'> | KeyUnavailable | IntegrityFailure,
  tenant: TenantId,
  patient: PatientId,
  { tombstone, versions }: PatientKeyItem,
): Destruction | undefined {
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
