import { createHash } from 'node:crypto'
import type { PatientId, RecordId, RecordRef } from '../model/ids.ts'

/**
 * An empty place of the same shape. It is read instead of a record that the caller may not know of, so that a hidden record costs as
 * much as an absent one, whatever its content (P5). The decoy of a patient record has the form of a patient record, too.
 */
export const decoyOf = ({ type, patient, id }: RecordRef): RecordRef => ({
  type,
  patient: decoyId(patient) as PatientId,
  id: decoyId(id) as RecordId,
})

/** Never equals the id of a record, which is a keyed hash. 16 bytes as 22 base64url characters, like every id. */
export const decoyId = (id: string): string => createHash('sha256').update(`nobody ${id}`).digest().toString('base64url', 0, 16)
