import type { AuditEntry } from '../../audit/entry.ts'
import { accessDetail, type AccessEvent, hasNoPatient, type RecordAccesses, recordsOfEvent } from './access-event.ts'
import type { ExportOptions } from './export-options.ts'
import { present } from './fhir-agents.ts'
import { type Coding, codingOf, entityType, fhirString, objectRole, REQUEST_ID, resourceType } from './fhir-codes.ts'
import { patientReference, recordReference, referenceTo, versionReference } from './fhir-references.ts'
import { isResourceType } from './fhir-resource-types.ts'
import type { ExportRecord } from './item-batches.ts'

const PERSON = entityType('1', 'Person')
const SYSTEM_OBJECT = entityType('2', 'System Object')
const PATIENT = objectRole('1', 'Patient')
const DOMAIN_RESOURCE = objectRole('4', 'Domain Resource')
const SECURITY_RESOURCE = objectRole('13', 'Security Resource')
const QUERY = objectRole('24', 'Query')

interface Entity {
  readonly type: Coding
  readonly detail?: readonly object[]
  readonly [member: string]: unknown
}

/**
 * The entities of an event: the request, the patient, and the records with the paths of their accesses.
 *
 * A profile allows one System Object. It is the first record, or the query of a search. Every other record has its FHIR type as the type
 * of its entity. Accesses to no record are details of the patient, else of the request.
 */
export function entitiesOf(event: AccessEvent, options: ExportOptions): readonly object[] {
  const { first, activity } = event
  const { patient, tenant } = first
  const groups = recordsOfEvent(event)
  const records = groups.filter(({ id }) => id !== undefined)
  const details = detailsOf(groups.find(({ id }) => id === undefined)?.entries ?? [])
  const people = [requestEntity(first), ...patientEntities(first, options)]
  const entitiesBeside = (): readonly Entity[] => records.map((record) => recordEntity(record, tenant, options))

  if (activity === 'REVIEW') return [...people, logEntity(tenant, details, options), ...entitiesBeside()]
  if (activity === 'QUERY') return [...withDetails(people, details), queryEntity(event), ...entitiesBeside()]
  // the patient, and none of the records
  if (records.length === 0 && patient !== undefined)
    return [...people, { type: SYSTEM_OBJECT, role: DOMAIN_RESOURCE, what: patientReference(first, options), detail: details }]
  const [main, ...others] = entitiesBeside()
  const all = main === undefined ? [] : [{ ...main, type: SYSTEM_OBJECT }, ...others]
  return [...withDetails(people, details), ...all]
}

function requestEntity(first: ExportRecord): Entity {
  return {
    type: REQUEST_ID,
    what: { identifier: { value: fhirString(first.requestId) ?? 'unknown' } },
    detail: circumstances(first),
  }
}

const CIRCUMSTANCES = [
  'traceId',
  'session',
  'authTime',
  'mfa',
  'study',
  'contract',
  'appVersion',
  'userAgent',
  'operation',
  'operationHash',
  'persisted',
  'part',
  'parts',
] as const satisfies readonly (keyof AuditEntry)[]

function circumstances(first: ExportRecord): readonly object[] {
  const { lane, sequence, index } = first
  const stated = CIRCUMSTANCES.flatMap((name) => {
    const valueString = first[name] === undefined ? undefined : fhirString(String(first[name]))
    return valueString === undefined ? [] : [{ type: name, valueString }]
  })
  return [{ type: 'address', valueString: fhirString(`${lane}/${String(sequence)}/${String(index)}`) }, ...stated]
}

function patientEntities(first: ExportRecord, options: ExportOptions): readonly Entity[] {
  if (first.patient === undefined) return []
  const what = patientReference(first, options)
  if (hasNoPatient(first)) return [{ type: entityType('4', 'Other'), what }]
  return [{ type: PERSON, role: PATIENT, what }]
}

/** The log has no text of an operation, because an argument can be a value of a patient. Its hash finds the text in the registry. */
function queryEntity({ first, entries }: AccessEvent): Entity {
  const { operation, operationHash } = first
  const paths = [...new Set(entries.flatMap(({ path, paths: some }) => [path, ...(some ?? [])]))]
  const query = Buffer.from(JSON.stringify({ operation, operationHash, paths })).toString('base64')
  return { type: SYSTEM_OBJECT, role: QUERY, query }
}

function logEntity(tenant: string, detail: readonly object[] | undefined, options: ExportOptions): Entity {
  const what = referenceTo('audit-log', tenant, tenant, options)
  return { type: SYSTEM_OBJECT, role: SECURITY_RESOURCE, name: 'Security Audit Log', what, ...(detail !== undefined && { detail }) }
}

/** The record. After a change, it is the version that the change made, as in the target of its Provenance. */
function recordEntity(record: RecordAccesses, tenant: string, options: ExportOptions): Entity {
  const { type, id = '', version, entries } = record
  const versions = version === undefined ? [] : [{ type: 'version', valueString: String(version) }]
  return {
    type: typeOf(record, options),
    role: DOMAIN_RESOURCE,
    what:
      version !== undefined && entries.some(({ outcome }) => outcome === 'WRITTEN')
        ? versionReference({ type, id, version }, tenant, options)
        : recordReference(type, id, tenant, options),
    detail: [...versions, ...(detailsOf(entries) ?? [])],
  }
}

const typeOf = ({ type }: RecordAccesses, { gateway }: ExportOptions): Coding =>
  isResourceType(type) ? resourceType(type) : codingOf(`${gateway}/CodeSystem/record-type`, type)

/** One detail for each access: the path, and the rest as JSON. */
function detailsOf(entries: readonly ExportRecord[]): readonly object[] | undefined {
  return present(
    entries.map((entry) => ({
      type: fhirString(entry.path) ?? 'unknown',
      valueString: fhirString(JSON.stringify(accessDetail(entry))),
    })),
  )
}

/** Adds details to the last entity. */
function withDetails(entities: readonly Entity[], details: readonly object[] | undefined): readonly Entity[] {
  if (details === undefined) return entities
  return entities.map((entity, at) =>
    at === entities.length - 1 ? { ...entity, detail: [...(entity.detail ?? []), ...details] } : entity,
  )
}
