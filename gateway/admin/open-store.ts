import { consentsChange } from '../access/consents.ts'
import { membershipChanges } from '../access/memberships.ts'
import { derivedId } from '../crypto/tokens.ts'
import { RecordWriter } from '../store/record-writer.ts'
import type { Comparison } from '../../directives/comparisons.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, TenantId } from '../model/ids.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import type { SourceResource, WithdrawnResource } from '../model/source.ts'
import type { Study } from '../model/study.ts'
import { type Env, openServices } from '../compose.ts'
import { type OperatorAct, operatorContext } from './operator-context.ts'
import { type SourceBatch, SourceImport } from './source-import.ts'
import { storedPatients } from './source-identifiers.ts'
import { NO_CHANGES, type SourceResult } from '../model/source-result.ts'
import { writeStudy } from './study-admin.ts'

/** The sealed store of one tenant, open for an import. */
export interface SealedStore {
  readonly idFor: (type: string, sourceId: string) => RecordId
  /**
   * Writes the new and changed records, memberships and consents of a patient. Other consents stay unchanged. Consents of a patient
   * that is not stored are dropped.
   *
   * With `sources`, the newest version of each resource of the source is in exactly one chart. A resource that another patient had leaves
   * that chart, and an older version changes nothing. Without them, a record that is missing from the list stays in the chart.
   */
  write(patient: Omit<SourceBatch, 'sources'> & { readonly sources?: readonly SourceResource[] }): Promise<SourceResult>
  /** Removes what follows from these resources from the charts that have it. */
  withdraw(resources: readonly WithdrawnResource[]): Promise<SourceResult>
  /**
   * Finds the patients of earlier imports by the ids of their own resources and identifiers. The result lacks patients that are erased or
   * withdrawn, and identifiers of several patients.
   *
   * @param at ISO 8601 in UTC with milliseconds: an identifier counts if it is valid at this instant
   */
  storedPatients(ids: readonly RecordId[], at: string): Promise<ReadonlyMap<RecordId, PatientId>>
  /** Writes a new or changed study. The patients of the study are memberships, which `write` takes. */
  writeStudy(study: Study): Promise<void>
  close(): Promise<void>
}

/** The tenant has no keys, so that it has no records. The message repeats nothing of the name. */
export class UnknownTenant extends Error {
  override readonly name = 'UnknownTenant'
  constructor() {
    super('The tenant does not exist. Check --tenant, or create it with: phi keys create TENANT')
  }
}

/**
 * Opens the store of a tenant for an import. The audit names the operator's account.
 *
 * @param policy digest of the policy lock, for the audit
 * @param searchable the blind indexes of the schema (`searchIndexes` of its lock); without them, no search finds the records
 * @param keys whether a tenant without keys gets them, or is refused before anything is written
 * @param comparison the fields that leave comparison tokens (`workforceComparison` of the lock); without it, no patient is compared with
 *   the workforce
 * @throws UnknownTenant; ZodError for a missing variable, KeyUnavailable, StoreUnavailable
 */
export async function openStore(
  tenant: TenantId,
  policy: string,
  env: Env,
  searchable: readonly SearchIndex[] = [],
  keys: 'create' | 'existing' = 'create',
  comparison?: Comparison,
): Promise<SealedStore> {
  const services = openServices(env)
  const { keyring, access } = services
  if (keys === 'create') await keyring.createTenant(tenant)
  else if (!(await keyring.hasTenant(tenant))) {
    services.close()
    throw new UnknownTenant()
  }
  const identifier = await keyring.purposeKey(tenant, 'identifier')
  const writer = new RecordWriter({ ...services, searchable, comparison, history: services.recordHistory })
  const act: OperatorAct = { tenant, client: 'phi-import', operation: 'import', policy }
  const sourceImport = new SourceImport({ services, tenant, writer, context: () => operatorContext(services, act) })
  return {
    idFor: (type, sourceId) => derivedId(identifier, type as TypeName, sourceId),
    async write({ sources, ...batch }) {
      if (sources !== undefined) return await sourceImport.write({ ...batch, sources })
      const { patient, records, memberships, consents } = batch
      // without a record there may be no patient, and consents alone must not create one
      if (records.length === 0 && memberships.length === 0 && (await services.records.indexRoot(tenant, patient)) === undefined) {
        return NO_CHANGES
      }
      const changed = await membershipChanges({ keyring, table: access }, tenant, memberships)
      const consentChange = consents && (await consentsChange(services, tenant, patient, consents))
      const changes = consentChange === undefined ? changed : [consentChange, ...changed]
      // each patient is one request
      return { ...NO_CHANGES, ...(await writer.write(operatorContext(services, act), { patient, records, access: changes })) }
    },
    withdraw: async (resources) => await sourceImport.withdraw(resources),
    storedPatients: async (ids, at) => await storedPatients({ services, tenant }, ids, at),
    async writeStudy(study) {
      await writeStudy(services, operatorContext(services, { ...act, study: study.protocol }), study)
    },
    close: () => {
      services.close()
      return Promise.resolve()
    },
  }
}
