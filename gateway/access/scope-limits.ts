import * as z from 'zod'
import { PURPOSES_OF_USE, type PurposeOfUse } from '../../directives/policy.ts'
import { textsOf } from './claim-value.ts'
import { isCovered, resourceScope, type ResourceScope } from './smart-scopes.ts'

/** A configured scope, and the roles and purposes that a token needs it for. */
export interface ScopeGrant {
  readonly scope: ResourceScope
  readonly roles?: readonly string[] | undefined
  readonly purposes?: readonly PurposeOfUse[] | undefined
}

/** Parses `{"patient/*.rs": {"roles": ["PATIENT"], "purposes": ["PATRQT"]}}` to a list. */
export const ScopeGrants = z
  .record(
    z.string(),
    z.strictObject({ roles: z.array(z.string().min(1)).optional(), purposes: z.array(z.enum(PURPOSES_OF_USE)).optional() }),
  )
  .transform((grants, context): readonly ScopeGrant[] =>
    Object.entries(grants).map(([text, grant]) => {
      const scope = resourceScope(text)
      if (scope === undefined) context.addIssue({ code: 'custom', message: 'Use a SMART scope for FHIR resources.' })
      return scope === undefined ? z.NEVER : { scope, ...grant }
    }),
  )

/** The roles and purposes that the scopes of a token leave. An undefined set limits nothing. */
export interface ScopeLimits {
  readonly roles?: ReadonlySet<string> | undefined
  readonly purposes?: ReadonlySet<PurposeOfUse> | undefined
}

/**
 * Returns the limits that a token's scopes set. Without a satisfied scope, no role and no purpose is left.
 *
 * As soon as one configured scope names roles, a satisfied scope without `roles` adds no role; the same holds for purposes.
 *
 * @param claim a list of scopes, or a text of scopes with spaces between them (RFC 8693 section 4.2)
 */
export function scopeLimits(configured: readonly ScopeGrant[], claim: unknown): ScopeLimits {
  const granted = textsOf(claim).flatMap((text) => text.split(' ').flatMap((scope) => resourceScope(scope) ?? []))
  const satisfied = configured.filter(({ scope }) => isCovered(scope, granted))
  if (satisfied.length === 0) return { roles: new Set(), purposes: new Set() }
  return {
    roles: configured.some(({ roles }) => roles) ? new Set(satisfied.flatMap(({ roles = [] }) => roles)) : undefined,
    purposes: configured.some(({ purposes }) => purposes) ? new Set(satisfied.flatMap(({ purposes = [] }) => purposes)) : undefined,
  }
}
