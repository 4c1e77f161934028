import type { AuditEntry } from '../../audit/entry.ts'

/**
 * The treatment of a member in an export with digests.
 * - KEEP: as it is.
 * - PATIENT, RECORD: a keyed digest.
 * - FIELD: as it is, but removed from a record that is folded (`boundary.ts`).
 * - REMOVE: in no record. A hash of the chain covers the removed members, so a receiver could test a guess with it.
 */
export type Treatment = 'KEEP' | 'PATIENT' | 'RECORD' | 'FIELD' | 'REMOVE'

/** Every member of the export form, in the order of the columns of a CSV export. A member that is not listed does not compile. */
export const MEMBERS = {
  tenant: 'KEEP',
  lane: 'KEEP',
  sequence: 'KEEP',
  index: 'KEEP',
  format: 'KEEP',
  time: 'KEEP',
  requestId: 'KEEP',
  traceId: 'KEEP',
  part: 'KEEP',
  parts: 'KEEP',
  user: 'KEEP',
  roles: 'KEEP',
  purpose: 'KEEP',
  organization: 'KEEP',
  client: 'KEEP',
  app: 'KEEP',
  appVersion: 'KEEP',
  contract: 'KEEP',
  session: 'KEEP',
  authTime: 'KEEP',
  mfa: 'KEEP',
  study: 'KEEP',
  sourceIp: 'KEEP',
  userAgent: 'KEEP',
  userAgentText: 'KEEP',
  operation: 'KEEP',
  operationHash: 'KEEP',
  persisted: 'KEEP',
  policy: 'KEEP',
  patient: 'PATIENT',
  recordType: 'FIELD',
  recordId: 'RECORD',
  recordVersion: 'FIELD',
  listed: 'FIELD',
  origin: 'FIELD',
  path: 'FIELD',
  paths: 'FIELD',
  action: 'KEEP',
  outcome: 'KEEP',
  view: 'FIELD',
  reason: 'KEEP',
  rule: 'FIELD',
  basis: 'FIELD',
  basisId: 'REMOVE',
  since: 'REMOVE',
  limits: 'REMOVE',
  count: 'FIELD',
  // about the conduct of a user
  finding: 'REMOVE',
  // it names patients and users
  filter: 'REMOVE',
  succeeds: 'KEEP',
  prev: 'REMOVE',
  hash: 'REMOVE',
} as const satisfies Record<keyof AuditEntry, Treatment>

/** The names of all members, in the order of the columns. */
export const MEMBER_NAMES = Object.keys(MEMBERS) as readonly (keyof AuditEntry)[]

export const isMember = (name: string): name is keyof AuditEntry => Object.hasOwn(MEMBERS, name)
