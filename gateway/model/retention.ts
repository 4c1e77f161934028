import * as z from 'zod'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { dateSpan } from './date-span.ts'
import { type Instant, type TenantId, tenantId } from './ids.ts'

/** How long records must be kept. */
export interface RetentionRule {
  /** Years after the newest date of the patient's records. */
  readonly years: number
  /** The records of a minor are kept until this age, if that is later. `birthDate` is the path of the birth date: `Patient.birthDate`. */
  readonly minors?: { readonly untilAge: number; readonly birthDate: SchemaPath } | undefined
}

const Rule = z.strictObject({
  years: z.int().min(0).max(150),
  minors: z
    .strictObject({
      untilAge: z.int().min(0).max(150),
      birthDate: z
        .string()
        .regex(/^[A-Za-z_]\w*\.[A-Za-z_]\w*$/)
        .transform((path) => path as SchemaPath),
    })
    .optional(),
})

/** Days for which point-in-time recovery of DynamoDB keeps a table. */
const RECOVERY_DAYS = 35

/**
 * `PHI_RETENTION`: the rule of each tenant, and the days for which copies of the keys table exist. A tenant without a rule, and without
 * a `default`, can erase nothing.
 */
export const RetentionSettings = z
  .strictObject({
    default: Rule.optional(),
    tenants: z.record(z.string(), Rule).default({}),
    copiesDays: z.int().min(0).max(3_650).default(RECOVERY_DAYS),
  })
  .refine(({ tenants }) => Object.keys(tenants).every((tenant) => tenantId(tenant) !== undefined), 'A tenant has no valid name.')
export type RetentionSettings = Readonly<z.infer<typeof RetentionSettings>>

/** The rule of a tenant; undefined if none is declared. */
export const retentionRule = ({ default: common, tenants }: RetentionSettings, tenant: TenantId): RetentionRule | undefined =>
  tenants[tenant] ?? common

/**
 * The moment from which a patient may be erased.
 *
 * @param newest the newest date of the patient's records, in milliseconds since the epoch
 * @param birthDate FHIR date. For a partial date the last day counts, so that retention never ends early. If it is missing, the patient
 *   counts as born at `newest`: no patient is born later than that
 */
export function erasableFrom({ years, minors }: RetentionRule, newest: number, birthDate: unknown): Instant {
  const kept = yearsAfter(newest, years)
  if (minors === undefined) return kept as Instant
  const born = typeof birthDate === 'string' ? dateSpan(birthDate)?.end : undefined
  return Math.max(kept, yearsAfter(born ?? newest, minors.untilAge)) as Instant
}

const yearsAfter = (time: number, years: number): number => {
  const date = new Date(time)
  return date.setUTCFullYear(date.getUTCFullYear() + years)
}
