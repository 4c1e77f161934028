import type { AuditContext, TimedAccess } from '../../../gateway/audit/entry.ts'
import type { ItemDraft } from '../../../gateway/audit/item-draft.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { Instant, PatientId, RequestId, TenantId } from '../../../gateway/model/ids.ts'

const RIVERSIDE = 'riverside' as TenantId
const PATIENT = 'AAECAwQFBgcICQoLDA0ODw' as PatientId
export const NOON = Date.parse('2026-03-01T12:00:00.000Z') as Instant

/** One access. `number` is the version of its record, so that a test can distinguish accesses. */
export function access(number: number, change: Partial<TimedAccess> = {}): TimedAccess {
  return {
    at: NOON,
    patient: PATIENT,
    recordType: 'Patient' as TypeName,
    recordId: PATIENT,
    recordVersion: number,
    path: 'Patient.familyName' as SchemaPath,
    action: 'READ',
    view: 'FULL',
    outcome: 'DISCLOSED',
    rule: 'Patient.familyName#1',
    basis: 'CARE_TEAM',
    ...change,
  }
}

export function context(change: Partial<AuditContext> = {}): AuditContext {
  return {
    tenant: RIVERSIDE,
    requestId: 'cmVxdWVzdHJlcXVlc3RyZXF1' as RequestId,
    user: 'physician',
    roles: ['PHYSICIAN'],
    purpose: 'TREAT',
    persisted: false,
    policy: 'ab'.repeat(32),
    ...change,
  }
}

/** The accesses of one request, each in its own item. A packer continues the item numbers of the request. */
export function itemsOf(request: AuditContext | ItemPacker, accesses: readonly TimedAccess[]): ItemDraft[] {
  const packer = request instanceof ItemPacker ? request : new ItemPacker(request)
  return accesses.flatMap((one) => packer.ofWrite([one]))
}
