import { createSecretKey } from 'node:crypto'
import type { KeyUse } from '../../../gateway/crypto/key-table.ts'
import { patientKeyFrom, type PatientKeys } from '../../../gateway/crypto/patient-keys.ts'
import type { RandomBytes } from '../../../gateway/crypto/parts.ts'
import type { OpeningCounter } from '../../../gateway/crypto/sealed-field.ts'
import type { PurposeKey } from '../../../gateway/crypto/tenant-keys.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordId, TenantId } from '../../../gateway/model/ids.ts'
import type { RecordBinding } from '../../../gateway/model/record.ts'

/** 32 bytes that count up from `first`. */
export const rawKey = (first: number): Buffer => Buffer.from(Array.from({ length: 32 }, (_, i) => (first + i) & 0xff))

/** Returns the bytes 00, 01, 02 and so on: for examples and vectors, which need known nonces. */
export function countingRandom(): RandomBytes {
  let next = 0
  return (size) => Buffer.from(Array.from({ length: size }, () => next++ & 0xff))
}

/** Keys of one patient by version. */
export function patientKeys(raw: Readonly<Record<number, Buffer>>): PatientKeys {
  const keys = new Map(
    Object.entries(raw).map(([version, bytes]) => [Number(version), patientKeyFrom(Number(version), Buffer.from(bytes))]),
  )
  const current = keys.get(Math.max(...keys.keys()))
  if (!current) throw new Error('no key')
  return { current: () => current, byVersion: (version) => keys.get(version) }
}

export function purposeKey<Use extends KeyUse>(use: Use, raw: Buffer = rawKey(0x60), version = 1): PurposeKey<Use> {
  const key = createSecretKey(raw)
  const tokenVersions = { searched: [version], written: [version] }
  return { use, version, key, tokenVersions, byVersion: (asked) => (asked === version ? key : undefined) }
}

export const counter = (): OpeningCounter => ({ fields: 0, metadata: 0 })

export const path = (text: string): SchemaPath => text as SchemaPath

export const PATIENT = 'AAECAwQFBgcICQoLDA0ODw' as PatientId
export const OTHER_PATIENT = 'EBESExQVFhcYGRobHB0eHw' as PatientId

export const PLACE: RecordBinding = {
  tenant: 'riverside' as TenantId,
  patient: PATIENT,
  type: 'Patient' as TypeName,
  id: 'AAECAwQFBgcICQoLDA0ODw' as RecordId,
}

/** The same place with one part changed. */
export const ELSEWHERE: Readonly<Record<string, RecordBinding>> = {
  tenant: { ...PLACE, tenant: 'lakeside' as TenantId },
  patient: { ...PLACE, patient: OTHER_PATIENT },
  type: { ...PLACE, type: 'Observation' as TypeName },
  record: { ...PLACE, id: 'EBESExQVFhcYGRobHB0eHw' as RecordId },
}
