import type { PolicyTable, PurposeOfUse } from '../../directives/policy.ts'
import { credentialDetail } from '../model/credential-detail.ts'
import { NEW_TOKEN } from '../model/failure-detail.ts'
import { ClaimsUnfit } from './claims.ts'

// Details of tokens and purposes. They name claims, roles and purposes of the deployment, and repeat nothing of a token.

/** The claim at fault. Undefined if the fault is not about one claim. */
export function claimDetail(cause: unknown): string | undefined {
  if (!(cause instanceof ClaimsUnfit) || cause.claim === undefined) return undefined
  if (cause.fault !== 'CLAIMS') return credentialDetail(cause.fault)
  if (cause.claim === 'exp')
    return 'The token of the machine client has no client id, or is valid for more than an hour after `iat`. Issue a token of at most one hour.'
  return `The claim \`${cause.claim}\` is missing, malformed, or has a value without an entry in the claim map. docs/identity.md lists the claims, and \`PHI_CLAIMS\` maps them. ${NEW_TOKEN}`
}

/** @param isNamed whether the token names a role, and its scopes exclude it */
export function roleDetail({ roles }: PolicyTable, isNamed: boolean): string {
  const known = [...roles.keys()].join(', ')
  return isNamed
    ? 'The scopes of the token exclude each of its roles. Request a scope that `scopes` of `PHI_CLAIMS` maps to a role.'
    : `The token has no role of the schema. Its roles are: ${known}. \`roles\` and \`roleNames\` of \`PHI_CLAIMS\` map the claim. ${NEW_TOKEN}`
}

export const NO_SESSION =
  'The token has none of the claims `sid`, `auth_time`, `jti` and `iat`, so no session can be named. Issue it with one of them.'

/** @param isClaimed whether the request has the header of the purpose */
export function purposeDetail(isClaimed: boolean, mayClaim: readonly PurposeOfUse[]): string {
  const list = mayClaim.length === 0 ? 'none' : mayClaim.join(', ')
  return isClaimed
    ? `The header \`x-purpose-of-use\` has a code that this caller may not claim. The caller may claim: ${list}. Send one of them, or leave the header out.`
    : `The token names no purpose of use that its roles may claim. The caller may claim: ${list}. Send one of them in the header \`x-purpose-of-use\`, or request a token for another purpose.`
}
