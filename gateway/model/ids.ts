// Identifiers of records, callers and requests. All of them are strings at run time; brands keep them apart.

import type { Branded, TypeName } from '../../directives/coordinates.ts'

/** `riverside`: 1 to 63 lower-case letters, digits and inner hyphens, so that it never contains a separator of a table key. */
export type TenantId = Branded<string, 'TenantId'>
/** 16 random bytes as 22 base64url characters. */
export type PatientId = Branded<string, 'PatientId'>
/** 16 random bytes as 22 base64url characters; the id of a patient record equals the patient id. */
export type RecordId = Branded<string, 'RecordId'>
/** The subject of a token: one person or one machine client. */
export type UserId = Branded<string, 'UserId'>
/** 18 bytes as 24 base64url characters: process, time and randomness, see `gateway/audit/request-id.ts`. */
export type RequestId = Branded<string, 'RequestId'>
/** Milliseconds since the epoch. */
export type Instant = Branded<number, 'Instant'>
/** The id of a record for clients. It is opaque and holds the record's location: see `gateway/model/node-id.ts`. */
export type NodeId = Branded<string, 'NodeId'>

/** The location of a record within the caller's tenant. */
export interface RecordRef {
  readonly type: TypeName
  readonly patient: PatientId
  readonly id: RecordId
}

/** One text for a record within a tenant, for maps and sets. */
export const recordKey = ({ type, patient, id }: RecordRef): string => `${type}#${patient}#${id}`

const TENANT = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** The text as a tenant id, or undefined if it is not a valid one. */
export function tenantId(text: string): TenantId | undefined {
  return TENANT.test(text) ? (text as TenantId) : undefined
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/** The id of the record that another system names by a random UUID (version 4), or undefined for another text. */
export function idOfUuid(text: string): RecordId | undefined {
  return UUID.test(text) ? (Buffer.from(text.replaceAll('-', ''), 'hex').toString('base64url') as RecordId) : undefined
}

/** The UUID of an id, in lower case. */
export function uuidOf(id: RecordId | PatientId): string {
  const hex = Buffer.from(id, 'base64url').toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
