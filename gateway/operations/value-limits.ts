import * as z from 'zod'
import type { Caller } from '../model/decision.ts'
import type { PolicyTable, RoleKind } from '../../directives/policy.ts'

/** Maximum numbers of PHI values, by the kind of the caller's role. */
export type ValueLimits = Readonly<Record<RoleKind, number>>

/** The limits of one caller, per operation and per hour. */
export interface Limits {
  /** The maximum number of values that one operation could open: see `gateway/operations/cost.ts`. */
  readonly operation: ValueLimits
  /** The maximum number of values that one user receives in an hour: see `gateway/disclosure/phi-budget.ts`. */
  readonly hour: ValueLimits
  /** The maximum number of values that one user searches by in an hour. */
  readonly searches: ValueLimits
  /** The maximum number of denied values that one user is shown in an hour. */
  readonly refusedValues: ValueLimits
  /** The maximum number of ids that one user sends in an hour and that are not found. */
  readonly unknownIds: ValueLimits
}

const forAll = (limit: number): ValueLimits => ({
  CLINICIAN: limit,
  STAFF: limit,
  RESEARCH: limit,
  PATIENT: limit,
  PARTNER: limit,
  OVERSIGHT: limit,
})

export const DEFAULT_LIMITS: Limits = {
  operation: forAll(5_000),
  hour: { CLINICIAN: 50_000, STAFF: 50_000, RESEARCH: 100_000, PATIENT: 20_000, PARTNER: 50_000, OVERSIGHT: 10_000 },
  searches: forAll(200),
  // one application may send the same query for every role
  refusedValues: forAll(20_000),
  unknownIds: forAll(600),
}

/** The limit of a caller: the highest limit of the caller's roles that may claim the purpose; 0 without such a role. */
export function limitOf(limits: ValueLimits, { roles }: PolicyTable, caller: Pick<Caller, 'roles' | 'purpose'>): number {
  const policies = [...caller.roles].flatMap((role) => roles.get(role) ?? [])
  return Math.max(0, ...policies.filter(({ mayClaim }) => mayClaim.includes(caller.purpose)).map(({ kind }) => limits[kind]))
}

const values = z.int().nonnegative().optional()
const byKind = z
  .strictObject({ CLINICIAN: values, STAFF: values, RESEARCH: values, PATIENT: values, PARTNER: values, OVERSIGHT: values })
  .default({})

/**
 * Parses JSON such as `{"operation": {"PARTNER": 1000}, "hour": {"RESEARCH": 500000}}` to `Limits`. Omitted limits keep their
 * defaults.
 */
export const LimitsText = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      context.addIssue({ code: 'custom', message: 'not JSON' })
      return z.NEVER
    }
  })
  .pipe(z.strictObject({ operation: byKind, hour: byKind, searches: byKind, refusedValues: byKind, unknownIds: byKind }))
  .transform((given): Limits => {
    return {
      operation: over('operation', given.operation),
      hour: over('hour', given.hour),
      searches: over('searches', given.searches),
      refusedValues: over('refusedValues', given.refusedValues),
      unknownIds: over('unknownIds', given.unknownIds),
    }
  })

function over(name: keyof Limits, given: z.infer<typeof byKind>): ValueLimits {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...DEFAULT_LIMITS[name], ...Object.fromEntries(entries) }
}
