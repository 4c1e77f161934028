import { createHash } from 'node:crypto'
import type { PatientId, RecordId, RecordRef } from '../model/ids.ts'

/**
 * A place of the same shape where nothing is: read in the place of a record that the caller may not know of, so that it costs
 * what one costs that is not there, whatever the record holds (P5). The patient's own record has a decoy that is one, too.
 */
export const decoyOf = ({ type, patient, id }: RecordRef): RecordRef => ({
  type,
  patient: nobody(patient) as PatientId,
  id: nobody(id) as RecordId,
})

/** No id comes out of this: those of records are keyed hashes. 16 bytes as 22 base64url characters, as ids are. */
const nobody = (id: string): string => createHash('sha256').update(`nobody ${id}`).digest().toString('base64url', 0, 16)
