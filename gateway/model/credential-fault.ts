/**
 * Why somebody was not let in. Outside, all faults of a token are one answer; inside they are counted apart, since one says that a
 * client is misconfigured and another that somebody tries keys.
 */
export type CredentialFault =
  /** No `Authorization` header. */
  | 'ABSENT'
  /** No bearer token that can be read in one way alone. */
  | 'MALFORMED'
  | 'OVERSIZED'
  /** The token's header brings a key, or points to one. */
  | 'FOREIGN_KEY'
  /** Not the algorithm of its key, or none. */
  | 'ALGORITHM'
  /** Signed by a key that is not among the issuer's. */
  | 'UNKNOWN_KEY'
  /** There are no keys of the issuer to verify with: its outage, and nobody's attempt. */
  | 'KEYS_UNAVAILABLE'
  | 'SIGNATURE'
  | 'ISSUER'
  | 'AUDIENCE'
  /** Another token than an access token. */
  | 'TYPE'
  | 'EXPIRED'
  | 'NOT_YET_VALID'
  /** Well signed, and no caller follows from what it says. */
  | 'CLAIMS'
  | 'MFA_MISSING'
  | 'SESSION_EXPIRED'
  /** What tells no more: an identity of a deployment's own. */
  | 'OTHER'
