import { hasNoPatient } from './access-event.ts'
import type { ExportOptions } from './export-options.ts'
import { fhirString } from './fhir-codes.ts'
import { isResourceType } from './fhir-resource-types.ts'
import type { ExportRecord } from './item-batches.ts'

/**
 * A reference by identifier. Ids of the gateway have characters that an id of FHIR cannot have, and the gateway is no FHIR server: a
 * literal reference would lead nowhere.
 */
export interface LogicalReference {
  readonly type?: string
  readonly identifier?: { readonly system: string; readonly value: string }
  readonly display?: string
}

type Naming = Pick<ExportOptions, 'gateway' | 'identifiers'>
type Kind = 'patients' | 'records' | 'record-versions' | 'requested-ids' | 'users' | 'clients' | 'organizations' | 'audit-log'

/** Ids with another meaning for each receiver: a digest never has the system of the id itself. */
const DIGESTED: ReadonlySet<Kind> = new Set(['patients', 'records', 'record-versions', 'requested-ids'])

export function referenceTo(
  kind: Kind,
  id: string | undefined,
  tenant: string,
  { gateway, identifiers }: Naming,
): LogicalReference {
  const value = fhirString(id)
  if (value === undefined) return { display: 'unknown' }
  const digested = identifiers !== 'PLAIN' && DIGESTED.has(kind) ? '/digests' : ''
  return { identifier: { system: `${gateway}/tenants/${encodeURIComponent(tenant.toWellFormed())}/${kind}${digested}`, value } }
}

export const gatewayReference = ({ gateway }: Naming): LogicalReference => ({
  identifier: { system: 'urn:ietf:rfc:3986', value: gateway },
})

export function patientReference(entry: ExportRecord, naming: Naming): LogicalReference {
  const { patient, tenant } = entry
  if (hasNoPatient(entry)) return referenceTo('requested-ids', patient, tenant, naming)
  return { type: 'Patient', ...referenceTo('patients', patient, tenant, naming) }
}

/** The version of a record, in the form that FHIR gives to a version: `ID/_history/VERSION`. */
export function versionReference(
  { type, id, version }: { readonly type: string | undefined; readonly id: string; readonly version: number },
  tenant: string,
  naming: Naming,
): LogicalReference {
  return typed(type, referenceTo('record-versions', `${id}/_history/${String(version)}`, tenant, naming))
}

export function recordReference(type: string | undefined, id: string, tenant: string, naming: Naming): LogicalReference {
  return typed(type, referenceTo('records', id, tenant, naming))
}

function typed(type: string | undefined, reference: LogicalReference): LogicalReference {
  const display = fhirString(type)
  if (isResourceType(type)) return { type, ...reference }
  return display === undefined ? reference : { ...reference, display }
}
