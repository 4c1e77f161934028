import type { Branded, SchemaPath } from '../../directives/coordinates.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { RecordBinding } from '../model/record.ts'
import { lengthPrefixed, u32 } from './parts.ts'
import { ENVELOPE_FORMAT } from './envelope.ts'

/** The AAD parts that all values of one record share. Built once for each record, a field's AAD takes 0.3 us instead of 4.4. */
export type AadPrefix = Branded<Buffer, 'AadPrefix'>

/** `lp(tenant) | lp(patient) | lp(type) | lp(record id)` */
export function aadPrefix({ tenant, patient, type, id }: RecordBinding): AadPrefix {
  return lengthPrefixed(tenant, patient, type, id) as AadPrefix
}

/** The AAD of a sealed field. It names the field, so that a ciphertext that was moved elsewhere does not open (P6). */
export function fieldAad(prefix: AadPrefix, path: SchemaPath, keyVersion: number): Buffer {
  return pathAad(prefix, path, keyVersion)
}

/** No schema path begins with `#`. */
const METADATA_PATH = '#metadata'

/** The AAD of a record's metadata: a field's AAD and the record version, so that old metadata does not open in a newer record. */
export function metadataAad(prefix: AadPrefix, recordVersion: number, keyVersion: number): Buffer {
  return Buffer.concat([pathAad(prefix, METADATA_PATH, keyVersion), lengthPrefixed(u32(recordVersion))])
}

/** The AAD of a part of a patient's index: `#index`, or `#index/7` for a chunk. A part opens only for its patient. */
export function indexAad(tenant: TenantId, patient: PatientId, part: string, keyVersion: number): Buffer {
  return pathAad(lengthPrefixed(tenant, patient) as AadPrefix, part, keyVersion)
}

// one allocation and no intermediate buffers, because this runs once for each opened value
function pathAad(prefix: AadPrefix, path: string, keyVersion: number): Buffer {
  const pathLength = Buffer.byteLength(path, 'utf8')
  const aad = Buffer.allocUnsafe(prefix.length + pathLength + 11)
  let at = prefix.copy(aad)
  at = aad.writeUInt16BE(pathLength, at)
  at += aad.write(path, at, 'utf8')
  at = aad.writeUInt16BE(4, at)
  at = aad.writeUInt32BE(keyVersion, at)
  at = aad.writeUInt16BE(1, at)
  aad.writeUInt8(ENVELOPE_FORMAT, at)
  return aad
}
