import { userInfo } from 'node:os'
import { randomBytes } from 'node:crypto'
import { sealConsents } from '../access/consents.ts'
import { membershipChanged, sealMembership } from '../access/memberships.ts'
import type { AuditContext } from '../audit/entry.ts'
import { newRequestId } from '../audit/request-id.ts'
import { derivedId } from '../crypto/tokens.ts'
import { HistoryTable } from '../store/history.ts'
import { RecordWriter, type WriteCounts } from '../store/record-writer.ts'
import type { ConsentChanges } from '../model/consent.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, TenantId } from '../model/ids.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import type { Membership, NewRecord } from '../model/record.ts'
import type { Study } from '../model/study.ts'
import { type Env, openServices } from '../compose.ts'
import { writeStudy } from './study-admin.ts'

/** What an import writes to: the sealed store of one tenant. */
export interface SealedStore {
  readonly idFor: (type: string, sourceId: string) => RecordId
  /** Writes what is new or changed of a patient; consents that are not named stay as they are. */
  write(patient: {
    patient: PatientId
    records: readonly NewRecord[]
    memberships: readonly Membership[]
    consents?: ConsentChanges
  }): Promise<WriteCounts>
  /** Writes a study, or what has changed of it; whom it is about, `write` says of each patient. */
  writeStudy(study: Study): Promise<void>
  close(): Promise<void>
}

/**
 * Opens the store of a tenant for loading; a tenant that has no keys yet is given them. What is loaded is audited under the
 * account that loads it.
 *
 * @param policy digest of the policy lock, for the audit
 * @param searchable the blind indexes of the schema (`searchIndexes` of its lock); what is written without is not found by any value
 * @throws ZodError for a missing variable, KeyUnavailable, StoreUnavailable
 */
export async function openStore(
  tenant: TenantId,
  policy: string,
  env: Env,
  searchable: readonly SearchIndex[] = [],
): Promise<SealedStore> {
  const services = openServices(env)
  const { keyring, access, now, process } = services
  const historyTable = env['PHI_TABLE_HISTORY']
  if (historyTable === undefined) throw new TypeError('PHI_TABLE_HISTORY is not set')
  await keyring.createTenant(tenant)
  const identifier = await keyring.purposeKey(tenant, 'identifier')
  const writer = new RecordWriter({ ...services, searchable, history: new HistoryTable(historyTable) })
  const importing: Omit<AuditContext, 'requestId'> = {
    tenant,
    user: `os:${userInfo().username}`,
    roles: [],
    client: 'phi-import',
    purpose: 'HOPERAT',
    operation: 'import',
    persisted: false,
    policy,
  }
  return {
    idFor: (type, sourceId) => derivedId(identifier, type as TypeName, sourceId),
    async write({ patient, records, memberships, consents }) {
      const changed = await membershipChanged(keyring, access, tenant, memberships)
      const items = await Promise.all(changed.map(async (membership) => await sealMembership(keyring, tenant, membership)))
      const said = consents && (await sealConsents(services, tenant, patient, consents))
      if (said !== undefined) items.unshift(said)
      // the writing of one patient is one request: an import may take hours, and its records are looked up by time
      const context = { ...importing, requestId: newRequestId(process, now(), randomBytes) }
      return await writer.write(context, { patient, records, access: items })
    },
    async writeStudy(study) {
      const context = { ...importing, requestId: newRequestId(process, now(), randomBytes), study: study.protocol }
      await writeStudy(services, context, study)
    },
    close: () => {
      services.close()
      return Promise.resolve()
    },
  }
}
