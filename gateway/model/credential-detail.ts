import type { CredentialFault } from './credential-fault.ts'
import { NEW_TOKEN } from './failure-detail.ts'

/** The detail of a failed authentication, by its fault. No text of a token is part of it. */
const DETAILS: Readonly<Record<CredentialFault, string>> = {
  ABSENT:
    'The header `authorization` is missing. Send `authorization: Bearer TOKEN`. `npm run --silent phi -- token USER` prints a token of a demo user.',
  MALFORMED:
    'The header `authorization` has no well-formed token. Send `Bearer`, one space, and a signed JWT of three parts with a `kid`. `npm run --silent phi -- token USER` prints one.',
  OVERSIZED:
    'The header `authorization` is too long. Its maximum length is 10240 characters. Request fewer scopes or groups for the token.',
  FOREIGN_KEY:
    'The header of the token has or references a key. Remove `jwk`, `jku`, `x5u`, `x5c` and `crit`: keys come only from the issuer.',
  ALGORITHM: 'The algorithm of the token is not that of the key. Sign with the algorithm that the key set of the issuer states.',
  UNKNOWN_KEY: `The \`kid\` of the token is not in the key set of the issuer. If the stack was restarted, its keys are new. ${NEW_TOKEN}`,
  KEYS_UNAVAILABLE: 'The key set of the issuer cannot be read. Check that `PHI_JWKS_URI` answers, then send the request again.',
  SIGNATURE: `The signature of the token is not valid. Send the token unchanged. If the stack was restarted, its keys are new. ${NEW_TOKEN}`,
  ISSUER: `The claim \`iss\` of the token is not \`PHI_ISSUER\`. If the stack was restarted on another port, its issuer is another one. ${NEW_TOKEN}`,
  AUDIENCE: `The audience of the token is not \`PHI_AUDIENCE\`. Request the token for the audience of this API. ${NEW_TOKEN}`,
  TYPE: 'The token is not an access token. Send the access token, not the id token. Its header type is `at+jwt`.',
  EXPIRED: `The token has expired. ${NEW_TOKEN}`,
  NOT_YET_VALID:
    'The token is not valid yet: `nbf`, `iat` or `auth_time` is in the future. Compare the clock of the issuer with this machine.',
  CLAIMS: `A claim of the token is missing or malformed. docs/identity.md lists the claims. ${NEW_TOKEN}`,
  MFA_MISSING: 'The role requires a second factor. Sign in with a second factor.',
  SESSION_EXPIRED: `The session has ended. ${NEW_TOKEN}`,
  OTHER: `The request cannot be authenticated. ${NEW_TOKEN}`,
}

export const credentialDetail = (fault: CredentialFault): string => DETAILS[fault]
