import type { TypeName } from '../../directives/coordinates.ts'
import type { NodeId, PatientId, RecordId, RecordRef } from './ids.ts'

/**
 * A node id is base64url of `format(1) = 1 | type length(1) | type | patient(16) | record(16)`.
 *
 * It holds the location of a record, so that the patient is known before anything is loaded. It grants nothing. It never
 * names the tenant, which comes only from the caller (P5). Each record has one encoding; any other text decodes to undefined.
 */
const FORMAT = 1
const ID_BYTES = 16
const TYPE = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/

export function encodeNodeId({ type, patient, id }: RecordRef): NodeId {
  const name = Buffer.from(type, 'ascii')
  const bytes = Buffer.concat([
    Buffer.of(FORMAT, name.length),
    name,
    Buffer.from(patient, 'base64url'),
    Buffer.from(id, 'base64url'),
  ])
  return bytes.toString('base64url') as NodeId
}

/** The location of the record, or undefined if the text is not a valid node id. */
export function decodeNodeId(text: string): RecordRef | undefined {
  if (text.length > 150) return undefined
  const bytes = Buffer.from(text, 'base64url')
  const typeEnd = 2 + (bytes[1] ?? 0)
  if (bytes[0] !== FORMAT || bytes.length !== typeEnd + 2 * ID_BYTES) return undefined
  // with a second encoding, one record would be opened and audited as two
  if (bytes.toString('base64url') !== text) return undefined
  const type = bytes.toString('latin1', 2, typeEnd)
  if (!TYPE.test(type)) return undefined
  return {
    type: type as TypeName,
    patient: bytes.toString('base64url', typeEnd, typeEnd + ID_BYTES) as PatientId,
    id: bytes.toString('base64url', typeEnd + ID_BYTES) as RecordId,
  }
}
