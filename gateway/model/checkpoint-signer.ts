/** One key of a log. The private half never leaves its service. */
export interface CheckpointSigner {
  readonly algorithm: 'ED25519' | 'ML_DSA_44'
  /**
   * Raw bytes: 32 of Ed25519 (RFC 8032), 1,312 of ML-DSA-44 (FIPS 204).
   *
   * @throws KeyUnavailable
   */
  publicKey(): Promise<Uint8Array>
  /**
   * Raw signature: 64 bytes of Ed25519, 2,420 bytes of ML-DSA-44 with an empty context. Two ML-DSA signatures of one message differ.
   *
   * @param message at most 4,096 bytes
   * @throws KeyUnavailable
   */
  sign(message: Uint8Array): Promise<Uint8Array>
}
