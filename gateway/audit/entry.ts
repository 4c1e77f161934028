import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { Instant, RequestId, TenantId, UserId } from '../model/ids.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { PurposeOfUse } from '../../directives/policy.ts'

/** What is the same for every record of one request: who, from where, by which operation, under which policy. */
export interface AuditContext {
  readonly tenant: TenantId
  readonly requestId: RequestId
  readonly traceId?: string
  readonly user: UserId | string
  readonly roles: readonly string[]
  readonly organization?: string
  readonly client?: string
  readonly session?: string
  /** The protocol of the study that a researcher acts under. */
  readonly study?: string
  readonly sourceIp?: string
  /** In full; an entry holds its hash, and the text once in each lane and session. */
  readonly userAgent?: string
  readonly purpose: PurposeOfUse
  readonly operation?: string
  /** SHA-256 of the operation's text, hex. */
  readonly operationHash?: string
  readonly persisted: boolean
  /** Digest of the policy lock, hex. */
  readonly policy: string
}

/** One access, with the moment at which it was decided. */
export interface TimedAccess extends AccessRecord {
  readonly at: Instant
}

/**
 * One audit record in the form of an export: what the hash covers, what a verifier reads. What does not apply is left out.
 *
 * @source 45 CFR 164.312(b), ASTM E2147, IHE BALP
 */
export interface AuditEntry {
  readonly tenant: string
  readonly lane: string
  readonly sequence: number
  readonly time: string
  readonly requestId: string
  readonly traceId?: string
  readonly user: string
  readonly roles: readonly string[]
  readonly organization?: string
  readonly client?: string
  readonly session?: string
  readonly study?: string
  readonly sourceIp?: string
  /** First 8 bytes of SHA-256 of the text, base64url. */
  readonly userAgent?: string
  readonly userAgentText?: string
  readonly patient?: string
  readonly recordType?: string
  readonly recordId?: string
  readonly recordVersion?: number
  readonly path: string
  readonly paths?: readonly string[]
  readonly action: string
  readonly view?: string
  readonly outcome: string
  readonly reason?: string
  readonly rule?: string
  readonly basis?: string
  readonly purpose: string
  readonly operation?: string
  readonly operationHash?: string
  readonly persisted: boolean
  readonly count?: number
  readonly policy: string
  /** In the first record of a lane that follows a retired one: `lane/last acknowledged sequence`. */
  readonly succeeds?: string
  /** Hash of the record before, hex; zeros for the first of a lane. */
  readonly prev: string
  readonly hash: string
}

export type Unlinked = Omit<AuditEntry, 'prev' | 'hash'>

export const FIRST_PREV = '0'.repeat(64)

/** `hash = SHA-256(prev, 32 raw bytes | RFC 8785 JSON of the entry without prev and hash)`. */
export function linkEntry(entry: Unlinked, prev: string): AuditEntry {
  return { ...entry, prev, hash: entryHash(entry, prev) }
}

export function entryHash(entry: Unlinked, prev: string): string {
  const text = canonicalize(entry)
  if (text === undefined) throw new TypeError('an audit entry is JSON')
  return createHash('sha256').update(Buffer.from(prev, 'hex')).update(text).digest('hex')
}

export function userAgentHash(text: string): string {
  return createHash('sha256').update(text).digest().toString('base64url', 0, 8)
}
