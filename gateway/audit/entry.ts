import { createHash } from 'node:crypto'
import type { PurposeOfUse } from '../../directives/policy.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Instant, RequestId, TenantId, UserId } from '../model/ids.ts'
import type { RelationshipScope } from '../model/record.ts'
import type { ChainedRecord } from './verify/item.ts'

/** The circumstances of a request, which all of its records share: the caller, the source, the operation and the policy. */
export interface AuditContext {
  readonly tenant: TenantId
  readonly requestId: RequestId
  readonly traceId?: string
  readonly user: UserId | string
  /** The roles that the decisions used. */
  readonly roles: readonly string[]
  readonly organization?: string
  readonly client?: string
  /** The application and its version, as the client states them. */
  readonly app?: string
  readonly appVersion?: string
  /** Digest of the partner's contract, hex. */
  readonly contract?: string
  readonly session?: string
  /** The time of the sign-in. */
  readonly authTime?: Instant
  /** Whether the sign-in used more than one factor. */
  readonly mfa?: boolean
  /** The protocol of the study that a researcher acts under. */
  readonly study?: string
  readonly sourceIp?: string
  /** The full text. An item has its hash. The text is in the first item of each lane and session that has it. */
  readonly userAgent?: string
  readonly purpose: PurposeOfUse
  readonly operation?: string
  /** SHA-256 of the operation's text, hex. */
  readonly operationHash?: string
  readonly persisted: boolean
  /** Digest of the policy lock, hex. */
  readonly policy: string
}

/** One access, with the time of its decision. */
export interface TimedAccess extends AccessRecord {
  readonly at: Instant
}

/**
 * One field-level record in the form of an export. A member that does not apply is absent.
 *
 * @source 45 CFR 164.312(b), ASTM E2147, IHE BALP
 */
export interface AuditEntry extends ChainedRecord {
  readonly traceId?: string
  readonly user: string
  readonly roles: readonly string[]
  readonly organization?: string
  readonly client?: string
  readonly app?: string
  readonly appVersion?: string
  readonly contract?: string
  readonly session?: string
  readonly authTime?: string
  readonly mfa: boolean
  readonly study?: string
  readonly sourceIp?: string
  /** First 8 bytes of SHA-256 of the text, base64url. */
  readonly userAgent?: string
  readonly userAgentText?: string
  readonly patient?: string
  readonly recordType?: string
  readonly recordId?: string
  readonly recordVersion?: number
  readonly listed: boolean
  readonly origin?: string
  readonly path: string
  readonly paths?: readonly string[]
  readonly action: string
  readonly view?: string
  readonly outcome: string
  readonly reason?: string
  readonly rule?: string
  readonly basis?: string
  readonly basisId?: string
  readonly since?: string
  readonly limits?: readonly RelationshipScope[]
  readonly purpose: string
  readonly operation?: string
  readonly operationHash?: string
  readonly persisted: boolean
  readonly count?: number
  readonly finding?: string
  readonly filter?: string
  readonly policy: string
}

/** The place of an item in the log. */
export interface ItemAddress {
  readonly tenant: string
  readonly lane: string
  readonly sequence: number
}

/** `SHA-256(prev, 32 raw bytes | tenant#lane/sequence, newline | text of the item)`. */
export function itemHash({ tenant, lane, sequence }: ItemAddress, text: string, prev: string): string {
  return createHash('sha256').update(Buffer.from(prev, 'hex')).update(`${tenant}#${lane}/${sequence}\n`).update(text).digest('hex')
}

export function userAgentHash(text: string): string {
  return createHash('sha256').update(text).digest().toString('base64url', 0, 8)
}
