import { generateKeyPairSync } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ClaimMap } from '../../gateway/access/claims.ts'
import { tokenIdentity } from '../../gateway/access/identity.ts'
import { Unauthenticated } from '../../gateway/model/failures.ts'
import { clinic } from '../gateway/decide/clinic-policy.ts'
import { readShared } from './folder.ts'
import { encoded, type Genuine, signed, type VectorKey, withCharactersOf, withNumbersOf, withPaddingOf } from './web-signature.ts'
import { listen } from '../../infra/local/ports.ts'

// Project Wycheproof's vectors of JSON Web Signatures, Keys and Crypto through the whole verification of an access token. Each vector
// runs twice: as it is, which no caller may be, and with the claims of a caller and the fault of the vector, so that it reaches the
// check that the vector is about. PHI_SHARED names the folder with `data/vectors/wycheproof`.

interface Vector {
  readonly tcId: number
  readonly result: 'valid' | 'invalid' | 'acceptable'
  readonly comment: string
  /** An object in JSON serialization. */
  readonly jws?: string | object
  readonly jwe?: string | object
}
type KeyOrSet = VectorKey & { readonly keys?: readonly VectorKey[] }
interface Group {
  readonly comment: string
  readonly private: KeyOrSet
  readonly public?: KeyOrSet
  readonly tests: readonly Vector[]
}
interface File {
  readonly numberOfTests: number
  readonly testGroups: readonly Group[]
}

const ISSUER = 'https://issuer.example'
const times = { iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 3_000 }
const claimsOf = (sub: string): string =>
  encoded(
    JSON.stringify({ iss: ISSUER, aud: 'phi-gateway', sub, client_id: 'web', sid: 's', tenant: 'riverside', ...times })
      .slice(0, -1)
      .concat(',"roles":["PHYSICIAN"],"amr":["mfa"]}'),
  )
const CLAIMS = claimsOf('somebody')
const OTHER_CLAIMS = claimsOf('somebody-else')

const read = (name: string): File => JSON.parse(readShared(`data/vectors/wycheproof/${name}`)) as File
const textOf = (token: string | object | undefined): string => (typeof token === 'string' ? token : JSON.stringify(token ?? ''))
const keysOf = (keys: KeyOrSet): readonly VectorKey[] => keys.keys ?? [keys]

let server: Server
let served: readonly VectorKey[] = []
beforeAll(async () => {
  server = createServer((_request, response) => response.end(JSON.stringify({ keys: served })))
  await listen(server, 0)
})
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
})

/** A verification that knows the keys of a group and no others. */
async function verifierOf(keys: readonly VectorKey[]) {
  const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  // the headers of the vectors have no type
  const options = { issuer: ISSUER, audience: 'phi-gateway', jwksUri, claims: ClaimMap.parse({ accessToken: 'client_id' }) }
  const identity = tokenIdentity(options, clinic.policy)
  served = keys
  await identity.prefetch?.()
  return async (token: string): Promise<string> => {
    try {
      return (await identity.callerOf({ authorization: `Bearer ${token}` })).user
    } catch (error) {
      if (!(error instanceof Unauthenticated)) throw error
      return error.fault
    }
  }
}

/** The header's algorithm; undefined if the text is no header. */
function algorithmOf(header: string): string | undefined {
  try {
    return String((JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>)['alg'])
  } catch {
    return undefined
  }
}

/** The valid vectors of all files, which the faulty ones derive from. */
function genuineOf(files: readonly File[]): Genuine[] {
  return files.flatMap(({ testGroups }) =>
    testGroups.flatMap((group) =>
      group.tests.flatMap(({ result, jws }) => {
        const [header, payload, signature, ...rest] = textOf(jws).split('.')
        const key = keysOf(group.private)[0]
        if (result !== 'valid' || header === undefined || payload === undefined || signature === undefined) return []
        return rest.length > 0 || key === undefined ? [] : [{ header, payload, signature, key }]
      }),
    ),
  )
}

/** The vector's text with claims, with its fault kept; undefined if there is no other text with the same fault. */
function withClaims(jws: string, genuine: readonly Genuine[], group: Group): string | undefined {
  const parts = jws.split('.')
  const [header = '', payload = '', signature = ''] = parts
  const origin =
    genuine.find((one) => parts.includes(one.signature)) ?? genuine.find((one) => one.header === header && one.payload === payload)
  const own = keysOf(group.private).find((key) => key['kty'] === 'RSA')
  if (origin === undefined) {
    if (parts.length !== 3 || own === undefined) return parts.length === 3 ? [header, CLAIMS, signature].join('.') : undefined
    return [header, CLAIMS, withPaddingOf(signature, `${header}.${payload}`, `${header}.${CLAIMS}`, own)].join('.')
  }
  const fresh = signed(`${origin.header}.${CLAIMS}`, algorithmOf(origin.header) ?? '', origin.key)
  const faulty = (text: string): string => {
    if (text.includes(origin.signature)) return text.replace(origin.signature, fresh)
    const changed = withCharactersOf(text, origin.signature, fresh)
    if (changed !== undefined) return changed
    const { kty } = origin.key
    if (kty === 'RSA') return withPaddingOf(text, `${header}.${payload}`, `${header}.${CLAIMS}`, origin.key)
    return kty === 'EC' ? withNumbersOf(text, origin.signature, fresh) : text
  }
  return parts
    .map((text, index) => {
      if (index === 1 && text === origin.payload) return CLAIMS
      if (text === '' || text === origin.header) return text
      if (text === origin.signature) return fresh
      if (text === origin.payload) return CLAIMS
      if (index === 1) return text.includes(origin.payload) ? text.replace(origin.payload, CLAIMS) : wrongPayload(text)
      return index === 0 ? text : faulty(text)
    })
    .join('.')
}

/** A changed payload is short. A long text in its place is a signature, because the payload is missing. */
const wrongPayload = (text: string): string => (text.length < 16 ? OTHER_CLAIMS : text)

type Tally = Record<string, Record<string, number>>

/** Verifies all vectors of a file and counts the outcomes, `somebody` being a caller. */
async function outcomesOf(file: File, genuine: readonly Genuine[]): Promise<Tally> {
  const tally: Tally = {}
  const count = (of: string, what: string) => {
    const counts = (tally[of] ??= {})
    counts[what] = (counts[what] ?? 0) + 1
  }
  for (const group of file.testGroups) {
    const outcomeOf = await verifierOf(keysOf(group.public ?? group.private))
    for (const { tcId, jws, jwe, result, comment } of group.tests) {
      const unchanged = await outcomeOf(textOf(jws ?? jwe))
      expect(unchanged, `case ${tcId} as it is`).not.toMatch(/^somebody/)
      count('as it is', unchanged)
      const token = typeof jws === 'string' ? withClaims(jws, genuine, group) : undefined
      if (token === undefined) continue
      const outcome = await outcomeOf(token)
      if (result !== 'valid') expect(outcome, `case ${tcId}, ${comment}`).not.toMatch(/^somebody/)
      count(result, outcome)
    }
  }
  return tally
}

/** The same vectors with P-256 keys in place of secrets, because the gateway verifies with public keys only. */
function withCurves(file: File): File {
  const curves = new Map<unknown, VectorKey>()
  const curveOf = ({ kid, k }: VectorKey): VectorKey => {
    const known = curves.get(k)
    if (known !== undefined) return { ...known, kid }
    const made = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
    curves.set(k, { ...made, alg: 'ES256' })
    return { ...made, alg: 'ES256', kid }
  }
  const publicPart = ({ d: _secret, ...key }: VectorKey): VectorKey => key
  const testGroups = file.testGroups.flatMap((group) => {
    const keys = keysOf(group.private)
    // a secret too short, or one beside a public key, has no counterpart
    if (!keys.every(({ alg, k }) => alg === 'HS256' && String(k).length === 43)) return []
    const header = textOf(group.tests[0]?.jws).split('.')[0] ?? ''
    const plain = new Set(group.tests.flatMap(({ result, jws }) => (result === 'valid' ? [textOf(jws)] : [])))
    const tests = group.tests.flatMap((test) => {
      const text = textOf(test.jws)
      // two faults of padding were lost when the vectors were written
      if (test.result !== 'valid' && plain.has(text)) return []
      return [
        {
          ...test,
          jws: [text.split('.')[0] ?? '', ...text.split('.').slice(1)]
            .map((part, at) => (at === 0 ? asCurve(part, header) : part))
            .join('.'),
        },
      ]
    })
    const secret = keys.map(curveOf)
    return [{ ...group, private: { keys: secret }, public: { keys: secret.map(publicPart) }, tests }]
  })
  return { ...file, testGroups }
}

/** The header with ES256, with the same characters around it. */
function asCurve(header: string, plain: string): string {
  const swapped = (text: string) => encoded(Buffer.from(text, 'base64url').toString().replace('"HS256"', '"ES256"'))
  if (header.includes(plain)) return header.replace(plain, swapped(plain))
  return algorithmOf(header) === 'HS256' && /^[\w-]+$/.test(header) ? swapped(header) : header
}

/** The same vectors with the name of the algorithm of P-521 corrected: the one of the file does not exist. */
function withNames(file: File): File {
  const named = (keys: KeyOrSet): KeyOrSet => ({
    keys: keysOf(keys).map((key) => (key['alg'] === 'ES521' ? { ...key, alg: 'ES512' } : key)),
  })
  const testGroups = file.testGroups
    .filter((group) => keysOf(group.private).some(({ alg }) => alg === 'ES521'))
    .map((group) => ({ ...group, private: named(group.private), ...(group.public && { public: named(group.public) }) }))
  return { ...file, testGroups }
}

const NAMES = ['json_web_signature_test.json', 'json_web_key_test.json', 'json_web_crypto_test.json']

it('a moved signature of a valid vector is valid, so that a moved fault is the only fault', () => {
  const moved = { RSA: 0, EC: 0 }
  for (const { header, payload, signature, key } of genuineOf(NAMES.map(read))) {
    const algorithm = algorithmOf(header) ?? ''
    const [from, to] = [`${header}.${payload}`, `${header}.${CLAIMS}`]
    if (algorithm.startsWith('RS')) {
      expect(withPaddingOf(signature, from, to, key)).toBe(signed(to, algorithm, key))
      moved.RSA++
    } else if (algorithm === 'ES256') {
      const fresh = signed(to, algorithm, key)
      expect(withNumbersOf(signature, signature, fresh)).toBe(fresh)
      moved.EC++
    }
  }
  expect(moved).toEqual({ RSA: 18, EC: 3 })
})

it.each(NAMES)('P3: %s: every invalid vector is refused, every valid one that the gateway verifies is a caller', async (name) => {
  const tally = await outcomesOf(read(name), genuineOf(NAMES.map(read)))
  process.stdout.write(`${name}: ${JSON.stringify(tally)}\n`)
  expect(tally).toEqual(EXPECTED[name])
})

it.each([
  ['P-256 keys in place of secrets', withCurves],
  ['the right name of an algorithm', withNames],
])('P3: the vectors with %s', async (what, change) => {
  for (const name of NAMES) {
    const file = change(read(name))
    const tally = await outcomesOf(file, genuineOf([file]))
    process.stdout.write(`${name}, ${what}: ${JSON.stringify(tally)}\n`)
    expect(tally).toEqual(EXPECTED[`${name}, ${what}`])
  }
})

/** How many vectors have each outcome. A valid one that is no caller has a secret, PSS, a name that does not exist or other characters. */
const EXPECTED: Readonly<Record<string, Tally>> = {
  'json_web_signature_test.json': {
    'as it is': { MALFORMED: 401 },
    valid: { UNKNOWN_KEY: 8, somebody: 18, ALGORITHM: 18, MALFORMED: 2 },
    invalid: { UNKNOWN_KEY: 16, MALFORMED: 35, SIGNATURE: 240, ALGORITHM: 56, FOREIGN_KEY: 1 },
  },
  'json_web_key_test.json': {
    'as it is': { MALFORMED: 26 },
    invalid: { UNKNOWN_KEY: 19, ALGORITHM: 2 },
    valid: { UNKNOWN_KEY: 4, somebody: 1 },
  },
  'json_web_crypto_test.json': {
    'as it is': { MALFORMED: 83 },
    valid: { UNKNOWN_KEY: 2, somebody: 2 },
    invalid: { UNKNOWN_KEY: 8, MALFORMED: 24, SIGNATURE: 4, ALGORITHM: 1, FOREIGN_KEY: 1 },
  },
  'json_web_signature_test.json, P-256 keys in place of secrets': {
    'as it is': { MALFORMED: 38 },
    valid: { somebody: 8, MALFORMED: 2 },
    invalid: { SIGNATURE: 7, MALFORMED: 17, UNKNOWN_KEY: 1 },
  },
  'json_web_key_test.json, P-256 keys in place of secrets': {
    'as it is': { MALFORMED: 3 },
    valid: { somebody: 1 },
    invalid: { SIGNATURE: 1, UNKNOWN_KEY: 1 },
  },
  'json_web_crypto_test.json, P-256 keys in place of secrets': {
    'as it is': { MALFORMED: 19 },
    valid: { somebody: 2 },
    invalid: { SIGNATURE: 3, MALFORMED: 10, UNKNOWN_KEY: 1 },
  },
  'json_web_signature_test.json, the right name of an algorithm': { 'as it is': { MALFORMED: 2 }, valid: { somebody: 2 } },
  'json_web_key_test.json, the right name of an algorithm': { 'as it is': { MALFORMED: 1 }, invalid: { ALGORITHM: 1 } },
  'json_web_crypto_test.json, the right name of an algorithm': {},
}
