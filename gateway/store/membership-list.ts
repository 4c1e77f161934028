import type { Memberships, PatientAccess } from '../crypto/patient-access.ts'
import type { Json } from '../model/record.ts'
import { ChunkedList } from './chunked-list.ts'

/** The memberships that an access manifest contains itself. Its item stays below 4 KB, the read unit of DynamoDB. */
export const MAX_INLINE = 32
/** The memberships of a chunk. A longer chunk is divided into two halves. */
const MAX_IN_CHUNK = 64

/** The memberships of a patient while they are being written. @param opened the memberships of each chunk that a change touches */
export const membershipList = (
  { members, chunks, next }: Pick<PatientAccess, 'members' | 'chunks' | 'next'>,
  opened: ReadonlyMap<number, Memberships>,
): ChunkedList<Json> => {
  const form = { ...(members && { inline: members }), ...(chunks && { chunks }), ...(next !== undefined && { next }) }
  return new ChunkedList(form, opened, { maxInline: MAX_INLINE, maxInChunk: MAX_IN_CHUNK })
}
