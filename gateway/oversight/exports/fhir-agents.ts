import { isIP } from 'node:net'
import type { ExportOptions } from './export-options.ts'
import type { FhirActivity } from './fhir-activities.ts'
import { conceptOf, fhirString, PROVIDER, purposeOf } from './fhir-codes.ts'
import { gatewayReference, referenceTo } from './fhir-references.ts'
import type { ExportRecord } from './item-batches.ts'

/** R4 requires a mark where a required value is not known. @source https://hl7.org/fhir/R4/extension-data-absent-reason.html */
const UNKNOWN = { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }] }

/** The agents of an event: client, gateway, user, and the organization of the user. */
export function agentsOf(first: ExportRecord, { client, server, user }: FhirActivity, options: ExportOptions): readonly object[] {
  const { tenant, organization } = first
  const org = fhirString(organization)
  return [
    {
      type: { coding: [client] },
      who: clientOf(first, options),
      requestor: false,
      network: networkOf(first.sourceIp),
    },
    {
      type: { coding: [server] },
      who: gatewayReference(options),
      requestor: false,
      network: { address: options.gateway, type: '5' },
    },
    {
      type: { coding: [user] },
      role: present(first.roles.map((role) => conceptOf(`${options.gateway}/CodeSystem/role`, role))),
      who: referenceTo('users', first.user, tenant, options),
      requestor: true,
      policy: [`${options.gateway}/policies/${encodeURIComponent(first.policy.toWellFormed())}`],
      purposeOfUse: present([purposeOf(first.purpose)]),
    },
    ...(org === undefined
      ? []
      : [{ type: { coding: [PROVIDER] }, who: referenceTo('organizations', org, tenant, options), requestor: false }]),
  ]
}

/** An operator's command has no client, and states no application. */
function clientOf({ client, app, tenant }: ExportRecord, options: ExportOptions): object {
  const display = fhirString(app)
  const who = referenceTo('clients', client, tenant, options)
  return display === undefined ? who : { ...who, display }
}

function networkOf(sourceIp: string | undefined): object {
  const address = fhirString(sourceIp)
  if (address === undefined) return UNKNOWN
  return { address, type: isIP(address) > 0 ? '2' : '1' }
}

/** An empty list is no value in FHIR. */
export function present<T>(values: readonly (T | undefined)[]): readonly T[] | undefined {
  const some = values.filter((value) => value !== undefined)
  return some.length === 0 ? undefined : some
}
