// Identifiers of records, callers and requests. Brands keep apart types that are all text at run time.

import type { Branded, TypeName } from '../../directives/coordinates.ts'

/** `riverside`: lower-case letters, digits and hyphens, so that it can stand in a key between separators. */
export type TenantId = Branded<string, 'TenantId'>
/** 16 random bytes as 22 base64url characters. */
export type PatientId = Branded<string, 'PatientId'>
/** 16 random bytes as 22 base64url characters; a patient's own record bears the patient's id. */
export type RecordId = Branded<string, 'RecordId'>
/** The subject of a token: one human, or one client acting by itself. */
export type UserId = Branded<string, 'UserId'>
/** 18 bytes as 24 base64url characters: process, time and randomness, see `gateway/audit/request-id.ts`. */
export type RequestId = Branded<string, 'RequestId'>
/** Milliseconds since the epoch. */
export type Instant = Branded<number, 'Instant'>
/** What a client holds and sends back: opaque, self-locating, see `gateway/model/node-id.ts`. */
export type NodeId = Branded<string, 'NodeId'>

/** Where a record is, within the tenant that the caller belongs to. */
export interface RecordRef {
  readonly type: TypeName
  readonly patient: PatientId
  readonly id: RecordId
}

const TENANT = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** A tenant's name, or undefined when the text is none. */
export function tenantId(text: string): TenantId | undefined {
  return TENANT.test(text) ? (text as TenantId) : undefined
}
