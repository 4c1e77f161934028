import { generateKeyPairSync, sign } from 'node:crypto'
import { type CryptoKey, exportJWK, generateKeyPair } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Identity, tokenIdentity } from '../../../gateway/access/identity.ts'
import { errorText } from '../../../gateway/model/failure-messages.ts'
import type { CredentialFault } from '../../../gateway/model/credential-fault.ts'
import { Unauthenticated } from '../../../gateway/model/failures.ts'
import { clinic } from '../decide/clinic-policy.ts'
import { AUDIENCE, ISSUER, startIssuer, type TokenParts } from './issuer.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const CLAIMS = { sub: 'user-1', aud: AUDIENCE, tenant: 'riverside', roles: ['PHYSICIAN'], amr: ['mfa'], sid: 'session-1' }

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

let issuer: Awaited<ReturnType<typeof startIssuer>>
/** Milliseconds by which the gateway's clock is ahead. The token library compares the end of a token with the machine's clock. */
let later = 0
let identity: Identity
let prefetch: () => Promise<void> | undefined
let callerOf: (claims?: TokenParts, header?: TokenParts, key?: CryptoKey) => Promise<unknown>

async function begin(algorithm?: string) {
  issuer = await startIssuer(algorithm)
  later = 0
  const now = () => Date.now() + later
  identity = tokenIdentity({ issuer: ISSUER, audience: AUDIENCE, jwksUri: issuer.jwksUri, now }, clinic.policy)
  prefetch = () => identity.prefetch?.()
  callerOf = async (claims = {}, header = {}, key = issuer.privateKey) =>
    await identity.callerOf({ authorization: `Bearer ${await issuer.sign({ ...CLAIMS, ...claims }, header, key)}` })
}
beforeEach(async () => {
  await begin()
})
afterEach(async () => {
  await issuer.stop()
})

describe('keys that are fetched before the first token', () => {
  it('serve the first token without a request', async () => {
    await prefetch()
    expect(issuer.state.asked).toBe(1)
    await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
    expect(issuer.state.asked).toBe(1)
  })

  it('are fetched once, if the first token comes meanwhile', async () => {
    await Promise.all([prefetch(), callerOf()])
    expect(issuer.state.asked).toBe(1)
  })

  it('are fetched at the first token after a failure, without a pause', async () => {
    issuer.state.isAway = true
    await expect(prefetch()).resolves.toBeUndefined()
    issuer.state.isAway = false
    await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
  })
})

describe('an unreachable issuer does not stop care', () => {
  it('the last good keys are valid for a day, and no longer', async () => {
    await callerOf()
    issuer.state.isAway = true
    for (const hours of [1, 12, 23.9]) {
      later = hours * HOUR
      await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
    }
    later = 24.1 * HOUR
    await expect(callerOf()).rejects.toThrow(Unauthenticated)
    issuer.state.isAway = false
    later += MINUTE
    await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
  })

  it('P3: an unknown key id is still refused', async () => {
    await callerOf()
    issuer.state.isAway = true
    later = HOUR
    await expect(callerOf({}, { kid: 'two' })).rejects.toThrow(Unauthenticated)
  })

  it('an issuer that was never reached is asked again soon', async () => {
    issuer.state.isAway = true
    await expect(callerOf()).rejects.toThrow(Unauthenticated)
    issuer.state.isAway = false
    later = 1_000
    await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
  })
})

describe('key changes', () => {
  it('a new key is found at its first use', async () => {
    await callerOf()
    const second = await issuer.made('two')
    issuer.state.keys.push(second.jwk)
    later = 31_000
    await expect(callerOf({}, { kid: 'two' }, second.privateKey)).resolves.toMatchObject({ user: 'user-1' })
  })

  it('P13: a withdrawn key, or one replaced under the same id, stops within ten minutes', async () => {
    await callerOf()
    const second = await issuer.made('one')
    issuer.state.keys = [second.jwk]
    later = 10 * MINUTE
    await expect(callerOf()).rejects.toThrow(Unauthenticated)
    await expect(callerOf({}, {}, second.privateKey)).resolves.toMatchObject({ user: 'user-1' })
  })

  it('a flood of unknown key ids asks the issuer at most twice a minute', async () => {
    await callerOf()
    const before = issuer.state.asked
    for (let second = 0; second < 60; second++) {
      later = second * 1_000
      const flood = Array.from({ length: 5 }, (_, n) => callerOf({}, { kid: `kid-${second}-${n}` }))
      for (const one of await Promise.allSettled(flood)) expect(one.status).toBe('rejected')
    }
    expect(issuer.state.asked - before).toBeLessThanOrEqual(2)
    await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
  })

  it('concurrent first requests ask the issuer once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => callerOf()))
    expect(issuer.state.asked).toBe(1)
  })
})

describe('the key determines the algorithm', () => {
  it.each(['RS384', 'ES256', 'ES384', 'EdDSA'])('%s is accepted from a key of its kind', async (algorithm) => {
    await issuer.stop()
    await begin(algorithm)
    await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
  })

  it('another algorithm or use of the same key is refused', async () => {
    const key = issuer.state.keys[0]
    issuer.state.keys = [{ ...key, alg: 'RS512' }]
    await expect(callerOf()).rejects.toThrow(Unauthenticated)
    issuer.state.keys = [{ ...key, use: 'enc' }]
    later = HOUR
    await expect(callerOf()).rejects.toThrow(Unauthenticated)
  })

  it('PS256, which the library cannot verify, is refused', async () => {
    await issuer.stop()
    await begin('PS256')
    await expect(callerOf()).rejects.toThrow(Unauthenticated)
  })
})

describe('a key of the set that may not verify is ignored, and the others still do', () => {
  const RSA = { modulusLength: 2_048, publicExponent: 65_537 }
  const rsa = (options: { readonly modulusLength?: number; readonly publicExponent?: number }) =>
    generateKeyPairSync('rsa', { ...RSA, ...options })
  const serve = (...keys: Record<string, unknown>[]) => {
    issuer.state.keys = keys
    later = HOUR
  }
  const own = () => issuer.state.keys[0] ?? {}

  it.each<[string, Record<string, unknown>]>([
    ['use is enc', { use: 'enc' }],
    ['use is empty', { use: '' }],
    ['use is another word', { use: 'Sig' }],
    ['use is a list', { use: ['sig'] }],
    ['key_ops is encrypt', { use: undefined, key_ops: ['encrypt'] }],
    ['key_ops is sign', { key_ops: ['sign'] }],
    ['key_ops is empty', { key_ops: [] }],
    ['key_ops is a text', { key_ops: 'verify' }],
    ['key_ops is null', { key_ops: null }],
    ['use permits and key_ops does not', { use: 'sig', key_ops: ['wrapKey'] }],
    ['key_ops permits and use does not', { use: 'enc', key_ops: ['verify'] }],
    ['it has a secret member', { d: 'AQAB' }],
    ['its id is a number', { kid: 1 }],
    ['its type is unknown', { kty: 'AKP' }],
    ['its type is missing', { kty: undefined }],
    ['its modulus is missing', { n: undefined }],
    ['its modulus is no text', { n: 65_537 }],
  ])('P3: %s', async (_what, change) => {
    const second = await issuer.made('two')
    const one = own()
    serve({ ...one, ...change }, second.jwk)
    await expect(callerOf()).rejects.toThrow(Unauthenticated)
    await expect(callerOf({}, { kid: 'two' }, second.privateKey)).resolves.toMatchObject({ user: 'user-1' })
    serve(one)
    later += HOUR
    await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
  })

  it.each<[string, Record<string, unknown>]>([
    ['key_ops with use', { key_ops: ['verify'] }],
    ['key_ops without use', { use: undefined, key_ops: ['verify'] }],
    ['neither', { use: undefined }],
    ['no alg, as Entra serves keys', { alg: undefined }],
  ])('%s permits', async (_what, change) => {
    serve({ ...own(), ...change })
    await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
  })

  it.each<[string, Parameters<typeof rsa>[0]]>([
    ['1,024 bits', { modulusLength: 1_024 }],
    ['2,040 bits', { modulusLength: 2_040 }],
    ['an exponent of 3', { publicExponent: 3 }],
  ])('P3: an RSA key is too weak: %s', async (_what, options) => {
    const { privateKey, publicKey } = rsa(options)
    serve({ ...publicKey.export({ format: 'jwk' }), kid: 'one' })
    const payload = part({ ...CLAIMS, iss: ISSUER, exp: Math.floor(Date.now() / 1000) + 300 })
    const input = `${part({ alg: 'RS256', kid: 'one', typ: 'at+jwt' })}.${payload}`
    const token = `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
    await expect(identity.callerOf({ authorization: `Bearer ${token}` })).rejects.toMatchObject({ fault: 'UNKNOWN_KEY' })
  })

  it('P3: two different keys of one id verify nothing, whichever comes first', async () => {
    const [one, second] = [own(), await issuer.made('one')]
    for (const keys of [
      [one, second.jwk],
      [second.jwk, one],
    ]) {
      serve(...keys)
      later += HOUR
      await expect(callerOf()).rejects.toThrow(Unauthenticated)
      await expect(callerOf({}, {}, second.privateKey)).rejects.toThrow(Unauthenticated)
    }
  })

  it('one key that is listed twice, or beside an encryption key of the same id, verifies', async () => {
    const [one, second] = [own(), await issuer.made('one')]
    serve({ ...second.jwk, use: 'enc' }, one, { ...one, x5t: 'thumbprint' })
    await expect(callerOf()).resolves.toMatchObject({ user: 'user-1' })
  })
})

describe('a token that states another issuer', () => {
  it('is refused before its key is looked up, so that it costs no request and no memory', async () => {
    for (let n = 0; n < 20; n++)
      await expect(callerOf({ iss: `https://issuer-${n}.example` })).rejects.toMatchObject({ fault: 'ISSUER' })
    expect(issuer.state.asked).toBe(0)
  })

  it.each([[undefined], [[ISSUER]], [`${ISSUER}/`], [ISSUER.toUpperCase()]])('P3: %j', async (iss) => {
    await expect(callerOf({ iss })).rejects.toMatchObject({ fault: 'ISSUER' })
  })
})

describe('what a token’s header brings is no key', () => {
  it.each([['jwk'], ['x5c'], ['jku'], ['x5u']])('%s', async (name) => {
    const stranger = await generateKeyPair('RS256', { extractable: true })
    const jwk = { ...(await exportJWK(stranger.publicKey)), kid: 'one', alg: 'RS256' }
    const brought = { jwk, x5c: ['MIIB'], jku: 'http://127.0.0.1:1/jwks', x5u: 'http://127.0.0.1:1/cert' }[name]
    await expect(callerOf({}, { [name]: brought }, stranger.privateKey)).rejects.toThrow(Unauthenticated)
    // a token with such a member is refused even with a valid signature
    await expect(callerOf({}, { [name]: brought })).rejects.toThrow(Unauthenticated)
  })

  it.each([['../../dev/null'], ["one' OR 1=1"], ['one\u0000'], ['/proc/self/environ/..'], ['k'.repeat(200)], [''], ['__proto__']])(
    'a key id is only a name: %j',
    async (kid) => {
      await callerOf()
      const before = issuer.state.asked
      await expect(callerOf({}, { kid })).rejects.toThrow(Unauthenticated)
      expect(issuer.state.asked).toBe(before)
    },
  )
})

describe('a token that two readers could read in two ways', () => {
  const base64url = (text: string) => Buffer.from(text).toString('base64url')
  const signed = async (payload: string, header = '{"alg":"RS256","kid":"one","typ":"at+jwt"}') => {
    const input = `${base64url(header)}.${base64url(payload)}`
    const signature = await crypto.subtle.sign('RSASSA-PKCS1-v1_5', issuer.privateKey, Buffer.from(input))
    const authorization = `Bearer ${input}.${Buffer.from(signature).toString('base64url')}`
    return await identity.callerOf({ authorization })
  }
  const payload = (more = '') => {
    const times = { iss: ISSUER, iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 300 }
    return `${JSON.stringify({ ...CLAIMS, ...times }).slice(0, -1)}${more}}`
  }

  it('is accepted without duplicate members', async () => {
    await expect(signed(payload(',"x":{"roles":1,"a":[{"b":1},{"b":"\\"c\\":"}]}'))).resolves.toMatchObject({ user: 'user-1' })
  })

  it.each([
    [',"roles":["ADMIN"]'],
    [',"r\\u006fles":["ADMIN"]'],
    [',"tenant" : "riverside"'],
    [',"x":{"a":1,"b":[],"a":2}'],
    [',"x":[{"a":1,"a":2}]'],
  ])('is refused for a duplicate member: %s', async (more) => {
    await expect(signed(payload(more))).rejects.toThrow(Unauthenticated)
  })

  it('is refused for a duplicate member of its header', async () => {
    const header = '{"alg":"none","alg":"RS256","kid":"one","typ":"at+jwt"}'
    await expect(signed(payload(), header)).rejects.toThrow(Unauthenticated)
  })

  it('is refused above the size limit', async () => {
    await expect(signed(payload(`,"x":"${'x'.repeat(9_000)}"`))).rejects.toThrow(Unauthenticated)
  })

  it('has unused bits or characters at the end of a part', async () => {
    const text = await issuer.sign({ ...CLAIMS, pad: 'x' })
    const parts = text.split('.')
    const altered = parts.flatMap((one, index) => {
      const withPart = (changed: string) => parts.map((old, at) => (at === index ? changed : old)).join('.')
      const last = ALPHABET.indexOf(one.slice(-1))
      // the last character has unused bits unless the length is a multiple of four
      const spare = one.length % 4 === 0 ? [] : [withPart(one.slice(0, -1) + (ALPHABET[last + 1] ?? ''))]
      return [...spare, withPart(`${one}=`), withPart(`${one}==`), withPart(`${one}A`), withPart(`${one}\n`)]
    })
    await expect(identity.callerOf({ authorization: `Bearer ${text}` })).resolves.toMatchObject({ user: 'user-1' })
    expect(altered.length).toBeGreaterThan(12)
    for (const one of altered) await expect(identity.callerOf({ authorization: `Bearer ${one}` })).rejects.toThrow(Unauthenticated)
  })

  it('is no object, or not UTF-8', async () => {
    for (const text of ['[]', '1', 'null', '"x"', '{']) await expect(signed(text)).rejects.toThrow(Unauthenticated)
  })
})

/** The message of the local stage. */
const detailed = (refused: unknown): string =>
  refused instanceof Unauthenticated ? errorText(true)(refused.code, refused.detail) : ''

describe('faults differ inside the gateway, and on the local stage, and not for any other caller', () => {
  const seconds = () => Math.floor(Date.now() / 1000)
  it.each<[CredentialFault, detail: RegExp, () => TokenParts, TokenParts?]>([
    ['EXPIRED', /^The token has expired\. Get a new token with/, () => ({ exp: seconds() - 70 })],
    ['NOT_YET_VALID', /^The token is not valid yet: .* Compare the clock/, () => ({ nbf: seconds() + 70 })],
    ['NOT_YET_VALID', /^The token is not valid yet: .* Compare the clock/, () => ({ iat: seconds() + 70 })],
    ['ISSUER', /^The claim `iss` of the token is not `PHI_ISSUER`\./, () => ({ iss: 'https://other.example' })],
    ['AUDIENCE', /^The audience of the token is not `PHI_AUDIENCE`\. Request/, () => ({ aud: 'somebody-else' })],
    ['TYPE', /^The token is not an access token\. Send the access token/, () => ({ token_use: 'id' })],
    ['CLAIMS', /^The claim `tenant` is missing, malformed.* docs\/identity\.md lists the claims/, () => ({ tenant: undefined })],
    ['CLAIMS', /^The token has no role of the schema\. Its roles are: .*PHYSICIAN.*PHI_CLAIMS/, () => ({ roles: ['SORCERER'] })],
    ['FOREIGN_KEY', /^The header of the token has or references a key\. Remove/, () => ({}), { jku: 'http://127.0.0.1:1/jwks' }],
    ['UNKNOWN_KEY', /^The `kid` of the token is not in the key set/, () => ({}), { kid: 'two' }],
    ['MALFORMED', /^The header `authorization` has no well-formed token\. Send/, () => ({}), { kid: '../x' }],
  ])('%s', async (fault, detail, claims, header) => {
    const refused = await callerOf(claims(), header).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'UNAUTHENTICATED', fault, message: new Unauthenticated().message })
    const local = detailed(refused)
    expect(local).toMatch(detail)
    expect(local).not.toMatch(/SORCERER|somebody-else|other\.example|jwks|two|\.\.\/x/)
  })

  it('KEYS_UNAVAILABLE: a request while the issuer is unreachable is no attack', async () => {
    issuer.state.isAway = true
    await expect(callerOf()).rejects.toMatchObject({ fault: 'KEYS_UNAVAILABLE' })
  })
})

describe('times have a tolerance of one minute each way', () => {
  const seconds = () => Math.floor(Date.now() / 1000)
  it.each<[string, () => TokenParts, boolean]>([
    ['issued in 50 seconds', () => ({ iat: seconds() + 50 }), true],
    ['issued in 70 seconds', () => ({ iat: seconds() + 70 }), false],
    ['signed in in 70 seconds', () => ({ auth_time: seconds() + 70 }), false],
    ['valid from in 50 seconds', () => ({ nbf: seconds() + 50 }), true],
    ['valid from in 70 seconds', () => ({ nbf: seconds() + 70 }), false],
    ['ended 50 seconds ago', () => ({ exp: seconds() - 50 }), true],
    ['ended 70 seconds ago', () => ({ exp: seconds() - 70 }), false],
  ])('%s', async (_what, claims, taken) => {
    if (taken) await expect(callerOf(claims())).resolves.toMatchObject({ user: 'user-1' })
    else await expect(callerOf(claims())).rejects.toThrow(Unauthenticated)
  })
})
