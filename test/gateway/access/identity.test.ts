import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Headers, type Identity, tokenIdentity } from '../../../gateway/access/identity.ts'
import { BadRequest, MfaRequired, Unauthenticated } from '../../../gateway/model/failures.ts'
import { clinic } from '../decide/clinic-policy.ts'

const ISSUER = 'https://issuer.example'
const AUDIENCE = 'phi-gateway'
const seconds = () => Math.floor(Date.now() / 1000)

/** An issuer. The loopback interface serves its keys, except the second one. */
async function startIssuer() {
  const [served, unserved] = await Promise.all([
    generateKeyPair('RS256', { extractable: true }),
    generateKeyPair('RS256', { extractable: true }),
  ])
  const keys = [{ ...(await exportJWK(served.publicKey)), kid: 'one', use: 'sig', alg: 'RS256' }]
  const server: Server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ keys }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    served,
    unserved,
    jwksUri: `http://127.0.0.1:${port}/jwks`,
    stop: () => new Promise((resolve) => server.close(resolve)),
  }
}

let issuer: Awaited<ReturnType<typeof startIssuer>>
let identity: Identity

beforeAll(async () => {
  issuer = await startIssuer()
  identity = tokenIdentity({ issuer: ISSUER, audience: AUDIENCE, jwksUri: issuer.jwksUri }, clinic.policy)
})

afterAll(async () => {
  await issuer.stop()
})

type Claims = Readonly<Record<string, unknown>>

const CLAIMS: Claims = {
  sub: 'user-1',
  tenant: 'riverside',
  organization: 'riverside',
  roles: ['PHYSICIAN'],
  fhirUser: 'Practitioner/1',
  client_id: 'web',
  sid: 'session-1',
  amr: ['pwd', 'mfa'],
  iss: ISSUER,
  aud: AUDIENCE,
}

/** A token of the issuer with the changes of a test. A claim with the value undefined is omitted. */
async function token(claims: Claims = {}, header: Record<string, unknown> = {}, key = issuer.served.privateKey): Promise<string> {
  const payload: Record<string, unknown> = { ...CLAIMS, iat: seconds(), exp: seconds() + 300, ...claims }
  return await new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'one', typ: 'at+jwt', ...header }).sign(key)
}

const bearer = (text: string, more: Headers = {}): Headers => ({ authorization: `Bearer ${text}`, ...more })
const callerOf = async (claims: Claims, more?: Headers) => await identity.callerOf(bearer(await token(claims), more))

describe('a caller from a verified token', () => {
  it('has the tenant, roles, purposes and identity of the token', async () => {
    const exp = seconds() + 300
    expect(await callerOf({ exp })).toEqual({
      tenant: 'riverside',
      user: 'user-1',
      roles: new Set(['PHYSICIAN']),
      purpose: 'TREAT',
      mayClaim: ['TREAT', 'ETREAT', 'BTG'],
      seesExistence: true,
      mfa: true,
      sessionExpiresAt: exp * 1000,
      fhirUser: 'Practitioner/1',
      organization: 'riverside',
      client: 'web',
      session: 'session-1',
      issuedAt: expect.any(Number) as number,
    })
  })

  it('may be a machine without a second factor if its role needs none', async () => {
    const caller = await callerOf({ roles: ['PARTNER'], amr: undefined, fhirUser: undefined, sid: undefined })
    expect(caller).toMatchObject({ purpose: 'HPAYMT', seesExistence: false })
    expect(Object.keys(caller)).not.toContain('fhirUser')
  })

  it('P3: a role that the schema does not know is dropped and widens nothing', async () => {
    const caller = await callerOf({ roles: ['SUPERUSER', 'PATIENT'] })
    expect(caller).toMatchObject({ roles: new Set(['PATIENT']), mayClaim: ['PATRQT'], seesExistence: false })
  })

  it('a token slightly past its end or before its beginning is within the clock tolerance', async () => {
    await expect(callerOf({ exp: seconds() - 30 })).resolves.toMatchObject({ user: 'user-1' })
    await expect(callerOf({ nbf: seconds() + 30 })).resolves.toMatchObject({ user: 'user-1' })
  })

  it('an access token can have its type in a claim, as with Cognito', async () => {
    const cognito = await token({ token_use: 'access' }, { typ: undefined })
    await expect(identity.callerOf(bearer(cognito))).resolves.toMatchObject({ user: 'user-1' })
  })
})

describe('the purpose of use', () => {
  const header = (purpose: string) => ({ 'x-purpose-of-use': purpose })

  it('is the header, else the claim, else the first of the role', async () => {
    expect(await callerOf({})).toMatchObject({ purpose: 'TREAT' })
    expect(await callerOf({}, header('BTG'))).toMatchObject({ purpose: 'BTG' })
    expect(await callerOf({ purpose_of_use: 'ETREAT' })).toMatchObject({ purpose: 'ETREAT', mayClaim: ['ETREAT'] })
    expect(await callerOf({ purpose_of_use: 'ETREAT' }, header('ETREAT'))).toMatchObject({ purpose: 'ETREAT' })
  })

  it.each([
    ['ETREAT', 'BTG'],
    ['ETREAT', 'TREAT'],
    ['BTG', 'TREAT'],
    ['BTG', 'ETREAT'],
    ['HRESCH', 'TREAT'],
    ['TREAT', 'HPAYMT'],
    ['treat', 'TREAT'],
  ])('P3: a header that differs from the claim is refused: token %s, header %s', async (purpose_of_use, purpose) => {
    await expect(callerOf({ purpose_of_use, roles: ['PHYSICIAN', 'BILLING'] }, header(purpose))).rejects.toThrow(BadRequest)
  })

  it('TREAT in the token permits emergency purposes in the header, so that an emergency needs no new token', async () => {
    for (const purpose of ['TREAT', 'ETREAT', 'BTG'])
      expect(await callerOf({ purpose_of_use: 'TREAT' }, header(purpose))).toMatchObject({ purpose })
    expect(await callerOf({ purpose_of_use: 'TREAT' })).toMatchObject({ purpose: 'TREAT', mayClaim: ['TREAT', 'ETREAT', 'BTG'] })
  })

  it('P3: TREAT in the token gives no emergency purpose to a role without it', async () => {
    for (const purpose of ['ETREAT', 'BTG']) {
      const asked = callerOf({ roles: ['BILLING'], purpose_of_use: 'TREAT' }, header(purpose))
      await expect(asked).rejects.toThrow(BadRequest)
    }
  })

  it('a token with several purposes leaves the choice among them to the header', async () => {
    const both = { roles: ['PHYSICIAN', 'BILLING'], purpose_of_use: ['HPAYMT', 'ETREAT'] }
    for (const purpose of both.purpose_of_use) expect(await callerOf(both, header(purpose))).toMatchObject({ purpose })
    expect(await callerOf(both)).toMatchObject({ purpose: 'ETREAT', mayClaim: ['ETREAT', 'HPAYMT'] })
    for (const purpose of ['TREAT', 'BTG']) await expect(callerOf(both, header(purpose))).rejects.toThrow(BadRequest)
  })

  it.each([[''], [[]], [7], [{ code: 'TREAT' }], [['TREAT', 7]], ['x'.repeat(129)]])(
    'P3: a claim that names no purpose in a readable form is refused, never ignored: %j',
    async (purpose_of_use) => {
      await expect(callerOf({ purpose_of_use })).rejects.toThrow(Unauthenticated)
    },
  )

  it.each([['HPAYMT'], ['treat'], ['EVERYTHING'], [''], ['TREAT, HPAYMT'], ['__proto__']])(
    'P3: a purpose that no role may claim is refused: %j',
    async (purpose) => {
      await expect(callerOf({}, { 'x-purpose-of-use': purpose })).rejects.toThrow(BadRequest)
    },
  )

  it('a claimed purpose that no role may claim is refused too', async () => {
    await expect(callerOf({ purpose_of_use: 'HRESCH' })).rejects.toThrow(BadRequest)
  })
})

describe('a second factor', () => {
  it.each<[string, Claims]>([
    ['no amr', { amr: undefined }],
    ['another factor', { amr: ['pwd'] }],
    ['one of two roles needs it', { roles: ['PARTNER', 'PHYSICIAN'], amr: ['pwd'] }],
  ])('is missing: %s', async (_what, claims) => {
    await expect(callerOf(claims)).rejects.toThrow(MfaRequired)
  })
})

describe('every fault of a token gives the same error', () => {
  const faults: [what: string, make: () => Promise<string>][] = [
    ['past its end beyond tolerance', () => token({ exp: seconds() - 120 })],
    ['without an end', () => token({ exp: undefined })],
    ['not yet valid', () => token({ nbf: seconds() + 600 })],
    ['of another issuer', () => token({ iss: 'https://other.example' })],
    ['for another audience', () => token({ aud: 'another-api' })],
    ['without an audience', () => token({ aud: undefined })],
    ['an id token', () => token({ token_use: 'id' }, { typ: 'JWT' })],
    ['without a type', () => token({}, { typ: undefined })],
    ['signed by a key that is not the issuer’s', () => token({}, {}, issuer.unserved.privateKey)],
    ['with an unknown key id', () => token({}, { kid: 'two' })],
    ['without a key id', () => token({}, { kid: undefined })],
    ['alg none', () => Promise.resolve(new UnsecuredJWT({ ...CLAIMS, exp: seconds() + 300 }).encode())],
    ['alg none with a signature', () => Promise.resolve(`${new UnsecuredJWT({ ...CLAIMS, exp: seconds() + 300 }).encode()}c2ln`)],
    ['HS256 with the public key as secret', hmacWithPublicKey],
    ['changed after it was signed', async () => withPayload(await token(), { ...CLAIMS, roles: ['ADMIN'], exp: seconds() + 300 })],
    ['with a signature cut off', async () => (await token()).slice(0, -8)],
    ['unknown roles only', () => token({ roles: ['SUPERUSER'] })],
    ['no roles', () => token({ roles: [] })],
    ['roles that are no text', () => token({ roles: { PHYSICIAN: true } })],
    ['roles in one text', () => token({ roles: 'PHYSICIAN,NURSE' })],
    ['roles in one text, with spaces', () => token({ roles: 'PHYSICIAN NURSE' })],
    ['two tenants', () => token({ tenant: ['riverside', 'lakeside'] })],
    ['no tenant', () => token({ tenant: undefined })],
    ['a tenant that is no name', () => token({ tenant: 'riverside#x' })],
    ['no subject', () => token({ sub: undefined })],
    ['an oversized subject', () => token({ sub: 'x'.repeat(129) })],
    ['an oversized identity', () => token({ fhirUser: `Practitioner/${'9'.repeat(200)}` })],
    ['an empty identity', () => token({ fhirUser: '' })],
    ['an identity that is no text', () => token({ fhirUser: { reference: 'Practitioner/1' } })],
    ['two identities', () => token({ fhirUser: ['Practitioner/1', 'Practitioner/2'] })],
    ['an oversized URL as identity', () => token({ fhirUser: `https://fhir.example/${'x'.repeat(1_024)}` })],
    ['an oversized organization', () => token({ organization: 'x'.repeat(129) })],
    ...['sub', 'organization', 'fhirUser', 'client_id', 'sid', 'purpose_of_use'].map((claim): [string, () => Promise<string>] => [
      `half of a surrogate pair in ${claim}`,
      () => token({ [claim]: 'a\ud800' }),
    ]),
    ['half of a surrogate pair in the token id of a session', () => token({ sid: undefined, jti: '\udc00a' })],
  ]

  it.each(faults)('%s', async (_what, make) => {
    const error: unknown = await identity.callerOf(bearer(await make())).then(
      () => 'a caller',
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(Unauthenticated)
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message: new Unauthenticated().message })
  })

  it.each<[string, Headers]>([
    ['no header', {}],
    ['an empty one', { authorization: '' }],
    ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }],
    ['no token', { authorization: 'Bearer ' }],
    ['no three parts', { authorization: 'Bearer a.b' }],
    ['no base64', { authorization: 'Bearer {}.{}.{}' }],
    ['no JSON', { authorization: 'Bearer AAAA.AAAA.AAAA' }],
  ])('%s', async (_what, headers) => {
    await expect(identity.callerOf(headers)).rejects.toThrow(Unauthenticated)
  })

  it('two tokens in one header', async () => {
    const one = await token()
    await expect(identity.callerOf({ authorization: `Bearer ${one}, Bearer ${one}` })).rejects.toThrow(Unauthenticated)
  })
})

describe('a claim that decides nothing has no limits', () => {
  const PEOPLE: readonly [what: string, claims: Claims][] = [
    ['100 groups', { roles: ['PHYSICIAN', ...Array.from({ length: 100 }, (_, n) => `group-${n}`)] }],
    ['the same role 100 times', { roles: Array.from({ length: 100 }, () => 'PHYSICIAN') }],
    ['a group with a long name', { roles: [`CN=${'x'.repeat(255)},DC=example`, 'PHYSICIAN'] }],
    ['an empty group', { roles: ['', 'PHYSICIAN'] }],
    ['a group that is no text', { roles: [7, null, {}, ['ADMIN'], 'PHYSICIAN'] }],
    ['a group with half of a surrogate pair', { roles: ['\ud800', 'PHYSICIAN'] }],
    ['one role, in no list', { roles: 'PHYSICIAN' }],
    ['one method, in no list', { amr: 'mfa' }],
    ['17 methods, one of them long', { amr: ['mfa', 'x'.repeat(200), ...Array.from({ length: 15 }, (_, n) => `m${n}`)] }],
    ['a context class that is a number', { acr: 1 }],
    ['17 audiences, one of them long', { aud: ['x'.repeat(200), ...Array.from({ length: 15 }, (_, n) => `api-${n}`), AUDIENCE] }],
    ['a long token id', { jti: 'x'.repeat(200) }],
    ['lists of one', { sub: 'user-1', tenant: ['riverside'], organization: ['riverside'], client_id: ['web'], sid: ['session-1'] }],
    ['a claim that is null', { organization: null, purpose_of_use: null, acr: null }],
    ['another claim of any form', { name: '\ud800', address: { x: ['y'.repeat(500)] } }],
  ]

  it.each(PEOPLE)('%s', async (_what, claims) => {
    await expect(callerOf(claims)).resolves.toMatchObject({ user: 'user-1', roles: new Set(['PHYSICIAN']), purpose: 'TREAT' })
  })

  it('P3: an object, a list inside a list and a number are no role and no second factor', async () => {
    for (const roles of [[['PHYSICIAN']], [{ PHYSICIAN: 1 }], { roles: 'PHYSICIAN' }, 7])
      await expect(callerOf({ roles })).rejects.toThrow(Unauthenticated)
    for (const amr of [[['mfa']], { mfa: true }, true, 'mfa pwd', 'pwd,mfa'])
      await expect(callerOf({ amr })).rejects.toThrow(MfaRequired)
  })
})

describe('the keys of the issuer', () => {
  it('are fetched over TLS; plain HTTP is allowed only on this machine', async () => {
    const elsewhere = tokenIdentity({ issuer: ISSUER, audience: AUDIENCE, jwksUri: 'http://issuer.example/jwks' }, clinic.policy)
    await expect(elsewhere.callerOf(bearer(await token()))).rejects.toThrow(Unauthenticated)
  })

  it('without keys, every token is refused', async () => {
    const gone = await startIssuer()
    await gone.stop()
    const nobody = tokenIdentity({ issuer: ISSUER, audience: AUDIENCE, jwksUri: gone.jwksUri }, clinic.policy)
    await expect(nobody.callerOf(bearer(await token()))).rejects.toThrow(Unauthenticated)
  })
})

async function hmacWithPublicKey(): Promise<string> {
  const secret = new TextEncoder().encode(await exportSPKI(issuer.served.publicKey))
  return await new SignJWT({ ...CLAIMS, exp: seconds() + 300 })
    .setProtectedHeader({ alg: 'HS256', kid: 'one', typ: 'at+jwt' })
    .sign(secret)
}

function withPayload(text: string, payload: Claims): string {
  const [header, , signature] = text.split('.')
  return [header, Buffer.from(JSON.stringify(payload)).toString('base64url'), signature].join('.')
}
