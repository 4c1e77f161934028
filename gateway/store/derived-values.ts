import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import type { StoredRecord } from './record-items.ts'

/**
 * Opens values of a stored record for a change. The derived rows of a record are made of some values, and cannot be removed without them.
 *
 * @param counter left out: no request counts these openings
 * @throws IntegrityFailure
 */
export function valuesOf(
  keys: PatientKeys,
  tenant: TenantId,
  { ref, manifest, fields }: StoredRecord,
  paths: readonly SchemaPath[],
  counter: OpeningCounter = { fields: 0, metadata: 0 },
): ReadonlyMap<SchemaPath, Json> {
  const record = SealedRecord.open(keys, { tenant, ...ref }, manifest, counter)
  const values = new Map<SchemaPath, Json>()
  for (const path of paths) {
    const sealed = fields.get(path)
    if (sealed !== undefined) values.set(path, record.openField(path, sealed))
    else if (record.verdict(path, sealed) !== 'ABSENT') throw new IntegrityFailure()
  }
  return values
}
