import type { ExportOptions } from './export-options.ts'
import { present } from './fhir-agents.ts'
import {
  APPLICATION,
  AUTHORED,
  type Coding,
  conceptOf,
  CUSTODIAN,
  ENTERED,
  fhirString,
  operation,
  purposeOf,
} from './fhir-codes.ts'
import { gatewayReference, type LogicalReference, patientReference, referenceTo, versionReference } from './fhir-references.ts'
import type { ExportRecord } from './item-batches.ts'
import type { RecordChange } from './record-change.ts'

const OPERATIONS: Readonly<Record<RecordChange['action'], Coding>> = {
  CREATE: operation('CREATE', 'create'),
  UPDATE: operation('UPDATE', 'revise'),
  DELETE: operation('DELETE', 'delete'),
}

/**
 * A change of a record as Provenance of FHIR R4. It names the paths that were written, and no value.
 *
 * @source https://hl7.org/fhir/R4/provenance.html
 */
export function provenance(change: RecordChange, options: ExportOptions): object {
  const { id, action, first, formerVersion } = change
  const { time, policy, purpose } = first
  return {
    resourceType: 'Provenance',
    id,
    target: [targetOf(change, options)],
    occurredDateTime: time,
    recorded: time,
    policy: [`${options.gateway}/policies/${encodeURIComponent(policy.toWellFormed())}`],
    reason: present([purposeOf(purpose)]),
    activity: { coding: [OPERATIONS[action]] },
    agent: agentsOf(change, options),
    ...(formerVersion !== undefined && {
      entity: [{ role: action === 'DELETE' ? 'removal' : 'revision', what: referenceOf(change, formerVersion, options) }],
    }),
  }
}

/** The version that the change made, with the paths that it wrote. The paths belong to the schema of the gateway, and not to FHIR. */
function targetOf(change: RecordChange, options: ExportOptions): object {
  const url = `${options.gateway}/StructureDefinition/changed-path`
  const extension = present(
    change.paths.map((path) => {
      const valueString = fhirString(path)
      return valueString === undefined ? undefined : { url, valueString }
    }),
  )
  return { ...(extension !== undefined && { extension }), ...referenceOf(change, change.version, options) }
}

const referenceOf = ({ recordType, recordId, first }: RecordChange, version: number, options: ExportOptions): LogicalReference =>
  versionReference({ type: recordType, id: recordId, version }, first.tenant, options)

/** The user, the application and the gateway. The user of an import enters what others wrote. */
function agentsOf({ first, isDecided }: RecordChange, options: ExportOptions): readonly object[] {
  const { user, roles, tenant, client } = first
  const onBehalfOf = principalOf(first, options)
  return [
    {
      type: { coding: [isDecided ? AUTHORED : ENTERED] },
      role: present(roles.map((role) => conceptOf(`${options.gateway}/CodeSystem/role`, role))),
      who: referenceTo('users', user, tenant, options),
      ...(onBehalfOf !== undefined && { onBehalfOf }),
    },
    ...(fhirString(client) === undefined
      ? []
      : [{ type: { coding: [APPLICATION] }, who: referenceTo('clients', client, tenant, options) }]),
    { type: { coding: [CUSTODIAN] }, who: gatewayReference(options) },
  ]
}

/** The patient that a proxy acts for, or else the organization of the user. */
function principalOf(first: ExportRecord, options: ExportOptions): LogicalReference | undefined {
  if (first.basis === 'PROXY') return patientReference(first, options)
  const organization = fhirString(first.organization)
  return organization === undefined ? undefined : referenceTo('organizations', organization, first.tenant, options)
}
