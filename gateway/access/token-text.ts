import type { CredentialFault } from '../model/credential-fault.ts'
import { Unauthenticated } from '../model/failures.ts'

/** Characters. API Gateway takes some 10 KB of headers; the tokens of the issuers that are known stay far below. */
const MAX_TOKEN = 8_192
const SCHEME = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g

/** A header that hands over the key to verify with, or points to one; `crit` asks for what nobody here knows. */
const FOREIGN_KEYS = ['jwk', 'jku', 'x5u', 'x5c', 'crit']
const KEY_ID = /^[\w.=+/-]{1,128}$/

/**
 * The token of an `Authorization` header, whose two parts are JSON objects that can be read in one way alone.
 *
 * Keys come from the issuer and from nowhere else: a token that brings one of its own is refused, and so is a key id that is no
 * plain name. Nothing of the text is trusted yet; the signature is verified afterwards.
 *
 * @source RFC 6750 section 2.1, RFC 8725 sections 2.4 and 3.10, RFC 7519 section 4 (unique names)
 * @throws Unauthenticated
 */
export function tokenOf(authorization: string | undefined): string {
  if (authorization === undefined || authorization === '') throw refused('ABSENT')
  if (authorization.length > MAX_TOKEN) throw refused('OVERSIZED')
  const [, token] = SCHEME.exec(authorization) ?? []
  const [header, payload] = token?.split('.') ?? []
  if (token === undefined || header === undefined || payload === undefined) throw refused('MALFORMED')
  try {
    const fields = parseUnique(header)
    parseUnique(payload)
    if (FOREIGN_KEYS.some((name) => Object.hasOwn(fields, name))) throw refused('FOREIGN_KEY')
    if (typeof fields['kid'] !== 'string' || !KEY_ID.test(fields['kid']) || fields['kid'].includes('..')) throw refused('MALFORMED')
  } catch (cause) {
    throw refused(cause instanceof Unauthenticated ? cause.fault : 'MALFORMED', { cause })
  }
  return token
}

const refused = (fault: CredentialFault, options?: ErrorOptions): Unauthenticated => new Unauthenticated({ ...options, fault })

/** @throws Error for what is no JSON object, or has a member twice: of two readers, each would believe another one */
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
