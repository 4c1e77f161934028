import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { SchemaPath, TypeName } from '../directives/coordinates.ts'
import type { PatientId, RecordId } from '../gateway/model/ids.ts'
import type { RecordLabel } from '../directives/policy.ts'
import type { Json, NewRecord, RecordMetadata } from '../gateway/model/record.ts'
import { MAX_RECORD_BYTES, MAX_TEXT_BYTES } from '../gateway/model/record-size.ts'
import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'

/** Goes into every digest: a mapping that reads more of the same source makes every record of it a changed one. */
const MAPPING_VERSION = 6

/** Gives the id of a resource: always the same for the same tenant, type and source id, and telling nothing of them. */
export type IdFor = (type: string, sourceId: string) => RecordId

/** The record types of the clinic. */
export type RecordType =
  | 'Patient'
  | 'Encounter'
  | 'Condition'
  | 'Observation'
  | 'MedicationRequest'
  | 'AllergyIntolerance'
  | 'Immunization'
  | 'Procedure'
  | 'DocumentReference'
  | 'Coverage'
  | 'Claim'
  | 'CareTeamMember'

export interface Assembly {
  readonly type: RecordType
  readonly patient: PatientId
  readonly id: RecordId
  /** By the path below the type, `address.city`; what is undefined is absent. */
  readonly values: { readonly [field: string]: unknown }
  readonly metadata: RecordMetadata
}

/** A record with what is present of its values, or why the store could not hold it. */
export function assemble({ type, patient, id, values, metadata }: Assembly): NewRecord | MappingIssue {
  const present = new Map<SchemaPath, Json>()
  let total = 0
  for (const [field, value] of Object.entries(values)) {
    if (value === undefined) continue
    const path = `${type}.${field}`
    const size = Buffer.byteLength(JSON.stringify(value))
    // quotes and escapes of a text that is just short enough are not counted against it
    const told = typeof value === 'string' ? Buffer.byteLength(value) : size
    if (told > MAX_TEXT_BYTES) return mappingIssue(path, ISSUES.text)
    total += size
    present.set(path as SchemaPath, value as Json)
  }
  if (total > MAX_RECORD_BYTES) return mappingIssue(type, ISSUES.size)
  return { ref: { type: type as TypeName, patient, id }, values: present, metadata }
}

/**
 * SHA-256 (base64url) over the sources of a record in canonical form (RFC 8785) and the version of this mapping.
 * The sources have passed `unfit`: what canonical JSON cannot express is not among them.
 */
export function sourceDigest(...sources: readonly unknown[]): string {
  return contentDigest({ mapping: MAPPING_VERSION, sources })
}

/** A record with further labels. They are part of its source: lists with other labels change the digest that an import compares. */
export function labeled(record: NewRecord, more: readonly RecordLabel[]): NewRecord {
  const { source, labels: earlier = [], ...metadata } = record.metadata
  const labels = [...new Set([...earlier, ...more])].toSorted()
  if (labels.length === earlier.length) return record
  return { ...record, metadata: { ...metadata, labels, source: contentDigest({ source: source ?? null, labels }) } }
}

/** SHA-256 (base64url) of some content in canonical form. */
export function contentDigest(content: unknown): string {
  return createHash('sha256')
    .update(canonicalize(content) ?? '')
    .digest('base64url')
}
