import { createHmac } from 'node:crypto'

/** 128 bits: two ids of one tenant never have one digest. */
const DIGEST_BYTES = 16

/** Digests of ids for one receiver. A receiver without the key cannot test an id. With another key, the digests differ. */
export class IdentifierDigests {
  readonly #key: Uint8Array

  /** @param key at least 32 bytes */
  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** HMAC-SHA-256 over the domain, the tenant and the id, cut to 128 bits, base64url. */
  digestOf(kind: 'patient' | 'record', tenant: string, id: string): string {
    // no tenant has a newline
    const hmac = createHmac('sha256', this.#key).update(`phi-gateway/export/${kind}/v1\n${tenant}\n`).update(id)
    return hmac.digest().toString('base64url', 0, DIGEST_BYTES)
  }
}
