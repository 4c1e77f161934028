import * as z from 'zod'
import type { Caller } from '../model/decision.ts'
import type { PolicyTable, RoleKind } from '../../directives/policy.ts'

/** Maximum numbers of PHI values, by the kind of the caller's role. */
export type ValueLimits = Readonly<Record<RoleKind, number>>

/** The limits of an answer, for all callers. */
export interface AnswerLimits {
  /** The maximum number of places: see `gateway/operations/cost.ts`. */
  readonly places: number
  /** The maximum size of a response, in bytes: see `gateway/http/response-size.ts`. */
  readonly bytes: number
}

/** The limits of one caller, per operation and per hour, and those of an answer. */
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
  /** The maximum number of patients that one user opens by break-glass in an hour. */
  readonly breakGlass: ValueLimits
  readonly answer: AnswerLimits
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
  breakGlass: forAll(60),
  // five places for each value of the default limit: a coded value with all its parts has six, most values have one
  answer: { places: 25_000, bytes: 5 * 1024 * 1024 },
}

/** A function of Lambda returns at most 6 MB (6 * 1024 * 1024). The rest is for status and headers. */
const MAX_RESPONSE_BYTES = 6_000_000
/** A refusal fits. */
const MIN_RESPONSE_BYTES = 1_024

/** The limit of a caller: the highest limit of the caller's roles that may claim the purpose; 0 without such a role. */
export function limitOf(limits: ValueLimits, { roles }: PolicyTable, caller: Pick<Caller, 'roles' | 'purpose'>): number {
  const policies = [...caller.roles].flatMap((role) => roles.get(role) ?? [])
  return Math.max(0, ...policies.filter(({ mayClaim }) => mayClaim.includes(caller.purpose)).map(({ kind }) => limits[kind]))
}

const values = z.int().nonnegative().optional()
const byKind = z
  .strictObject({ CLINICIAN: values, STAFF: values, RESEARCH: values, PATIENT: values, PARTNER: values, OVERSIGHT: values })
  .default({})
const answer = z
  .strictObject({ places: values, bytes: z.int().min(MIN_RESPONSE_BYTES).max(MAX_RESPONSE_BYTES).optional() })
  .default({})

/**
 * Parses JSON such as `{"operation": {"PARTNER": 1000}, "hour": {"RESEARCH": 500000}, "answer": {"bytes": 1000000}}` to `Limits`.
 * Omitted limits keep their defaults.
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
  .pipe(
    z.strictObject({
      operation: byKind,
      hour: byKind,
      searches: byKind,
      refusedValues: byKind,
      unknownIds: byKind,
      breakGlass: byKind,
      answer,
    }),
  )
  .transform((given): Limits => {
    return {
      operation: over(DEFAULT_LIMITS.operation, given.operation),
      hour: over(DEFAULT_LIMITS.hour, given.hour),
      searches: over(DEFAULT_LIMITS.searches, given.searches),
      refusedValues: over(DEFAULT_LIMITS.refusedValues, given.refusedValues),
      unknownIds: over(DEFAULT_LIMITS.unknownIds, given.unknownIds),
      breakGlass: over(DEFAULT_LIMITS.breakGlass, given.breakGlass),
      answer: over(DEFAULT_LIMITS.answer, given.answer),
    }
  })

function over<Of extends ValueLimits | AnswerLimits>(
  defaults: Of,
  given: { readonly [Name in keyof Of]?: number | undefined },
): Of {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(entries) }
}
