/**
 * The reason for a failed authentication. A client gets the same answer for all faults of a token. The gateway counts each
 * fault separately, because one fault indicates a misconfigured client and another an attack with guessed keys.
 */
export type CredentialFault =
  /** No `Authorization` header. */
  | 'ABSENT'
  /** No bearer token, or an ambiguous one, for example with a repeated JSON member. */
  | 'MALFORMED'
  | 'OVERSIZED'
  /** The token's header contains a key or a reference to a key. */
  | 'FOREIGN_KEY'
  /** The algorithm is missing or is not the algorithm of the key. */
  | 'ALGORITHM'
  /** Signed by a key that is not among the issuer's keys. */
  | 'UNKNOWN_KEY'
  /** The issuer's keys are not available: an outage of the issuer, not an attack. */
  | 'KEYS_UNAVAILABLE'
  | 'SIGNATURE'
  | 'ISSUER'
  | 'AUDIENCE'
  /** Not an access token. */
  | 'TYPE'
  | 'EXPIRED'
  | 'NOT_YET_VALID'
  /** The signature is valid, but the claims do not establish a caller. */
  | 'CLAIMS'
  | 'MFA_MISSING'
  | 'SESSION_EXPIRED'
  /** Not specified, because a deployment's own identity check gives no fault. */
  | 'OTHER'
