import { compilePolicy } from '../../../directives/compile.ts'
import { clinicTypeDefs } from '../../../schema/clinic.ts'
import type { Caller, ConsentFacts, Facts } from '../../../gateway/model/decision.ts'
import type { Instant, TenantId, UserId } from '../../../gateway/model/ids.ts'
import type { PurposeOfUse, Relationship, Role } from '../../../directives/policy.ts'

export const RELATIONSHIPS = ['CARE_TEAM', 'SELF', 'PROXY', 'AUTHOR', 'ORGANIZATION'] as Relationship[]

/** The shipped clinic, compiled for use. */
export const clinic = compilePolicy(clinicTypeDefs(), { relationships: new Set(RELATIONSHIPS) })

export const NOW = Date.UTC(2026, 0, 31, 12) as Instant

export function callerWith(roles: readonly string[], purpose: PurposeOfUse, more: Partial<Caller> = {}): Caller {
  return {
    tenant: 'riverside' as TenantId,
    user: 'user-1' as UserId,
    roles: new Set(roles as Role[]),
    purpose,
    mayClaim: [purpose],
    seesExistence: false,
    ...more,
  }
}

/** A patient without consents. */
const NO_CONSENTS: ConsentFacts = { rules: clinic.policy.consent, given: [] }

export function factsOf(relationships: readonly string[], breakGlassUntil?: number): Facts {
  return {
    consent: NO_CONSENTS,
    relationships: new Set(relationships as Relationship[]),
    ...(breakGlassUntil !== undefined && { breakGlass: { grant: 'bg-1', until: breakGlassUntil as Instant } }),
  }
}
