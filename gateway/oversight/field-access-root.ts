import { BadUserInput } from '../model/failures.ts'
import { readAddress } from './access-address.ts'
import { AccessEvidence } from './access-evidence.ts'
import type { AuditRoot } from './audit-reader.ts'
import { fieldAccessOf } from './field-access.ts'

/** `fieldAccess`: one field-level record by its address. Null if the log of the tenant has no such record. */
export const fieldAccess: AuditRoot<{ readonly id: string }> = async ({ id }, reading) => {
  const address = readAddress(id)
  if (address === undefined)
    throw new BadUserInput({ detail: '`id` is no address of a record of the log. Take it from the field `id` of `fieldAccesses`.' })
  const access = await reading.reader.history.access(address, reading.deadline)
  if (access === undefined) return { value: null, count: 0 }
  const { patient } = access
  return { value: fieldAccessOf(access, new AccessEvidence(reading)), count: 1, ...(patient !== undefined && { patient }) }
}
