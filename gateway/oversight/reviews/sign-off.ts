import canonicalize from 'canonicalize'
import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { readRequestId } from '../../audit/request-id.ts'
import { type AccessRecord, REVIEWED_TYPE } from '../../model/access-record.ts'

/** KEEP: the grants are right. NARROW: a grant will be taken from a role. INVESTIGATE: an access or a grant needs an investigation. */
export const REVIEW_DECISIONS = ['KEEP', 'NARROW', 'INVESTIGATE'] as const
export type ReviewDecision = (typeof REVIEW_DECISIONS)[number]

const decision = z.enum(REVIEW_DECISIONS)
const text = z.string().min(1)
const digest = z.string().regex(/^[0-9a-f]{64}$/)

const FindingDecision = z.strictObject({
  /** An unused grant of the review: `Patient.ssn#2`. */
  rule: text.optional(),
  /** A user outside of the peers of a role. */
  userId: text.optional(),
  decision,
  note: text.optional(),
})
/** The decision about one finding of a review: either an unused grant or a user. */
export type FindingDecision = Readonly<z.infer<typeof FindingDecision>>

const SignOff = z.strictObject({
  /** Counts the sign-offs of a tenant, from 1. */
  number: z.int().min(1),
  /** The time of the sign-off, in milliseconds since the epoch. */
  at: z.int(),
  by: text,
  /** The request that signed. It finds the audit record. */
  requestId: z.string().refine((id) => readRequestId(id) !== undefined),
  /** The span of the review, both inclusive, in milliseconds since the epoch. */
  from: z.int(),
  to: z.int(),
  /** Absent: all roles. */
  role: text.optional(),
  /** The roles of the policy in force. */
  roles: z.array(text).min(1),
  /** Digest of the policy in force. */
  policy: text,
  /** Digest of the review. */
  digest,
  decision,
  note: text.optional(),
  findings: z.array(FindingDecision),
  /** Random: a hash of the text alone would let a reader of the log test guesses of a note. */
  nonce: text,
})

/** The sign-off of an access review. */
export type SignOff = Readonly<z.infer<typeof SignOff>>

/** The stored text of a sign-off: canonical JSON (RFC 8785). Its audit record has the hash of the text. */
export function signOffText(signOff: SignOff): string {
  const written = canonicalize(signOff)
  if (written === undefined) throw new TypeError('a sign-off is JSON')
  return written
}

/** @throws SyntaxError, ZodError */
export const parseSignOff = (stored: string): SignOff => SignOff.parse(JSON.parse(stored))

/** The path of the mutation, and of its audit record. */
export const SIGN_OFF_PATH = `${REVIEWED_TYPE}.signOffAccessReview` as SchemaPath
/** The type of a sign-off in the audit. */
const SIGNED_REVIEW = 'AccessReview' as TypeName

/** The audit record of a sign-off: its decisions, and the hash of the whole text. It has no note (P8). */
export function signOffRecord(signOff: SignOff, act: Pick<AccessRecord, 'path' | 'action'>): AccessRecord {
  return {
    ...act,
    recordType: SIGNED_REVIEW,
    recordId: String(signOff.number),
    outcome: 'WRITTEN',
    filter: signedStatement(signOff),
  }
}

/** What the audit record of a sign-off states, as JSON text. */
export function signedStatement(signOff: SignOff): string {
  const { from, to, role, digest: review, decision: decided, findings } = signOff
  return JSON.stringify({
    from,
    to,
    ...(role !== undefined && { role }),
    review,
    decision: decided,
    ...(findings.length > 0 && { findings: findings.map(({ rule, userId, decision: one }) => ({ rule, userId, decision: one })) }),
    signOff: createHash('sha256').update(signOffText(signOff)).digest('hex'),
  })
}
