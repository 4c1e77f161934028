import * as z from 'zod'
import type { PolicyTable, RoleKind } from '../../directives/policy.ts'
import type { Caller } from '../model/decision.ts'

const minutes = z.number().min(1).max(60)
const hours = z.number().min(1).max(24)
const byKind = <T extends z.ZodType<number>>(form: T) => z.partialRecord(KINDS, form).default({})
const KINDS = z.enum(['CLINICIAN', 'STAFF', 'RESEARCH', 'PATIENT', 'PARTNER', 'OVERSIGHT'] satisfies RoleKind[])

/**
 * The limits of sessions by kind of role. The defaults are 15 minutes without a request and 12 hours in total.
 * 45 CFR 164.312(a)(2)(iii) requires an end and leaves the time to the deployment.
 */
export const SessionSettings = z.strictObject({
  idleMinutes: byKind(minutes),
  absoluteHours: byKind(hours),
  /** The maximum age of a sign-in for operations that require a recent one (RFC 9470). */
  stepUpSeconds: z.number().int().min(30).max(900).default(300),
})

export type SessionSettings = z.infer<typeof SessionSettings>

const IDLE_MINUTES = 15
const ABSOLUTE_HOURS = 12

/** Milliseconds. */
export interface SessionLimits {
  readonly idle: number
  readonly absolute: number
}

/** Returns the limits of a caller. With several roles, the strictest limits apply. */
export function limitsOf(
  { idleMinutes, absoluteHours }: Pick<SessionSettings, 'idleMinutes' | 'absoluteHours'>,
  policy: PolicyTable,
  caller: Caller,
): SessionLimits {
  const kinds = kindsOf(policy, caller)
  return {
    idle: Math.min(...kinds.map((kind) => idleMinutes[kind] ?? IDLE_MINUTES), 60) * 60_000,
    absolute: Math.min(...kinds.map((kind) => absoluteHours[kind] ?? ABSOLUTE_HOURS), 24) * 3_600_000,
  }
}

export function kindsOf(policy: PolicyTable, { roles }: Caller): RoleKind[] {
  return [...roles].flatMap((role) => policy.roles.get(role)?.kind ?? [])
}
