import type { CredentialFault } from '../model/credential-fault.ts'
import { Unauthenticated } from '../model/failures.ts'

/** Characters. API Gateway accepts 10,240 bytes of headers. A directory with many groups fills most of them. */
const MAX_TOKEN = 10_240
const SCHEME = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g

/** Headers that contain or reference a verification key. `crit` demands extensions that the gateway does not support. */
const FOREIGN_KEYS = ['jwk', 'jku', 'x5u', 'x5c', 'crit']
const KEY_ID = /^[\w.=+/@:~-]{1,128}$/

/**
 * Returns the token of an `Authorization` header. Its two JSON parts must have unique member names, so that they can be read in
 * one way only.
 *
 * Keys come only from the issuer: a token with a key of its own is refused, and so is a key id that is not a plain name. The
 * text is not trusted yet; the signature is verified later. A token that states another issuer is refused here, because the
 * verification caches keys by the issuer that a token states.
 *
 * @source RFC 6750 section 2.1, RFC 8725 sections 2.4 and 3.10, RFC 7519 section 4 (unique names)
 * @throws Unauthenticated
 */
export function tokenOf(authorization: string | undefined, issuer: string): string {
  if (authorization === undefined || authorization === '') throw refused('ABSENT')
  if (authorization.length > MAX_TOKEN) throw refused('OVERSIZED')
  const [, token] = SCHEME.exec(authorization) ?? []
  const parts = token?.split('.') ?? []
  const [header, payload] = parts
  if (token === undefined || header === undefined || payload === undefined) throw refused('MALFORMED')
  // unused bits at the end of a part would give one token several texts (RFC 4648 section 3.5)
  if (parts.some((part) => Buffer.from(part, 'base64url').toString('base64url') !== part)) throw refused('MALFORMED')
  try {
    const fields = parseUnique(header)
    const { iss } = parseUnique(payload)
    if (FOREIGN_KEYS.some((name) => Object.hasOwn(fields, name))) throw refused('FOREIGN_KEY')
    if (typeof fields['kid'] !== 'string' || !KEY_ID.test(fields['kid']) || fields['kid'].includes('..')) throw refused('MALFORMED')
    if (iss !== issuer) throw refused('ISSUER')
  } catch (cause) {
    throw refused(cause instanceof Unauthenticated ? cause.fault : 'MALFORMED', { cause })
  }
  return token
}

const refused = (fault: CredentialFault, options?: ErrorOptions): Unauthenticated => new Unauthenticated({ ...options, fault })

/** @throws Error if the text is not a JSON object, or has a member twice, because readers would disagree about its value */
function parseUnique(part: string): Readonly<Record<string, unknown>> {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url'))
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused('MALFORMED')
  const open: Set<string>[] = []
  let before = ''
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') open.push(new Set())
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      // `"\u0061"` and `"a"` are one name
      const name = JSON.parse(before) as string
      const names = open.at(-1)
      if (names === undefined || names.has(name)) throw refused('MALFORMED')
      names.add(name)
    }
    before = token
  }
  return value as Readonly<Record<string, unknown>>
}
