import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import type { StoredRecord } from './records.ts'

/**
 * Opens the values from which the derived rows of a stored record are made. Without them, the rows cannot be removed. No request counts
 * these openings.
 *
 * @throws IntegrityFailure
 */
export function valuesOf(
  keys: PatientKeys,
  tenant: TenantId,
  { ref, manifest, fields }: StoredRecord,
  paths: readonly SchemaPath[],
): ReadonlyMap<SchemaPath, Json> {
  const record = SealedRecord.open(keys, { tenant, ...ref }, manifest, { fields: 0, metadata: 0 })
  const values = new Map<SchemaPath, Json>()
  for (const path of paths) {
    const sealed = fields.get(path)
    if (sealed !== undefined) values.set(path, record.openField(path, sealed))
    else if (record.verdict(path, sealed) !== 'ABSENT') throw new IntegrityFailure()
  }
  return values
}
