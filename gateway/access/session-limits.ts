import * as z from 'zod'
import type { PolicyTable, RoleKind } from '../../directives/policy.ts'
import type { Caller } from '../model/decision.ts'

const minutes = z.number().min(1).max(60)
const hours = z.number().min(1).max(24)
const byKind = <T extends z.ZodType<number>>(form: T) => z.partialRecord(KINDS, form).default({})
const KINDS = z.enum(['CLINICIAN', 'STAFF', 'RESEARCH', 'PATIENT', 'PARTNER', 'OVERSIGHT'] satisfies RoleKind[])

/**
 * How long sessions last, by the kind of role. What is not said is fifteen minutes without a request and twelve hours in all:
 * 45 CFR 164.312(a)(2)(iii) asks for an end and leaves the time to the deployment.
 */
export const SessionSettings = z.strictObject({
  idleMinutes: byKind(minutes),
  absoluteHours: byKind(hours),
  /** How recent a sign-in must be for what asks for one (RFC 9470). */
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

/** The limits of a caller: of several roles, the strictest. */
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
