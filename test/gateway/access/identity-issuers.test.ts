import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClaimMap } from '../../../gateway/access/claims.ts'
import { tokenIdentity } from '../../../gateway/access/identity.ts'
import { MfaRequired, Unauthenticated } from '../../../gateway/model/failures.ts'
import { clinic } from '../decide/clinic-policy.ts'
import { AUDIENCE, ISSUER, startIssuer, type TokenParts } from './issuer.ts'

let issuer: Awaited<ReturnType<typeof startIssuer>>
beforeAll(async () => {
  issuer = await startIssuer()
})
afterAll(async () => {
  await issuer.stop()
})

const callerBy = async (map: unknown, claims: TokenParts, header: TokenParts = {}) => {
  const options = { issuer: ISSUER, audience: AUDIENCE, jwksUri: issuer.jwksUri, claims: ClaimMap.parse(map) }
  const authorization = `Bearer ${await issuer.sign(claims, header)}`
  return await tokenIdentity(options, clinic.policy).callerOf({ authorization })
}
const signedIn = Math.floor(Date.now() / 1000) - 60

/** The configurations of `docs/identity.md`. */
const ISSUERS: readonly [name: string, map: TokenParts, claims: TokenParts, header: TokenParts, expected: TokenParts][] = [
  [
    'Cognito',
    {
      audience: 'client_id',
      tenant: 'custom:tenant',
      roles: 'cognito:groups',
      session: 'origin_jti',
      mfaMethods: ['software_token_mfa'],
    },
    {
      sub: 'user-1',
      token_use: 'access',
      client_id: AUDIENCE,
      'custom:tenant': 'riverside',
      'cognito:groups': ['PHYSICIAN'],
      origin_jti: 'origin-1',
      auth_time: signedIn,
      amr: ['software_token_mfa'],
    },
    { typ: undefined },
    { tenant: 'riverside', session: 'origin-1', client: AUDIENCE },
  ],
  [
    'Auth0',
    {
      tenant: 'https://phi.example/tenant',
      roles: 'https://phi.example/roles',
      client: 'azp',
      mfaMethods: [],
      mfaClasses: ['urn:mfa'],
    },
    {
      sub: 'auth0|1',
      aud: [AUDIENCE, 'https://issuer.example/userinfo'],
      azp: 'web',
      'https://phi.example/tenant': 'riverside',
      'https://phi.example/roles': ['PHYSICIAN'],
      acr: 'urn:mfa',
      auth_time: signedIn,
    },
    {},
    { tenant: 'riverside', client: 'web', session: `auth_time:${signedIn * 1000}` },
  ],
  [
    'Entra',
    {
      tenant: 'tid',
      tenants: { 'b7e2f0a4-5d55-4a8e-9f0c-0f6f2e2f4d11': 'riverside' },
      client: 'azp',
      accessToken: 'azp',
      mfaMethods: [],
      mfaClasses: ['c1'],
    },
    {
      sub: 'AAAA',
      aud: AUDIENCE,
      azp: 'web',
      tid: 'b7e2f0a4-5d55-4a8e-9f0c-0f6f2e2f4d11',
      roles: ['PHYSICIAN'],
      acr: 'c1',
      sid: 'session-1',
    },
    { typ: 'JWT' },
    { tenant: 'riverside', client: 'web', session: 'session-1' },
  ],
  [
    'Okta',
    {
      tenant: 'iss',
      tenants: { [ISSUER]: 'riverside' },
      roles: 'groups',
      roleNames: { 'phi-physicians': 'PHYSICIAN' },
      client: 'cid',
      accessToken: 'cid',
    },
    {
      sub: 'u@example',
      aud: AUDIENCE,
      cid: 'web',
      groups: ['Everyone', 'phi-physicians'],
      auth_time: signedIn,
      amr: ['mfa', 'pwd'],
    },
    { typ: undefined },
    { tenant: 'riverside', client: 'web', session: `auth_time:${signedIn * 1000}` },
  ],
]

describe('claims of an issuer are mapped by configuration', () => {
  it.each(ISSUERS)('%s', async (_name, map, claims, header, expected) => {
    await expect(callerBy(map, claims, header)).resolves.toMatchObject({ ...expected, roles: new Set(['PHYSICIAN']) })
  })

  it.each(ISSUERS)(
    '%s: another audience, an id token and a missing second factor are refused',
    async (_name, map, claims, header) => {
      const audience = typeof map['audience'] === 'string' ? map['audience'] : 'aud'
      await expect(callerBy(map, { ...claims, [audience]: 'another-api' }, header)).rejects.toThrow(Unauthenticated)
      await expect(callerBy(map, { ...claims, token_use: 'id' }, { typ: 'JWT' })).rejects.toThrow(Unauthenticated)
      await expect(callerBy(map, { ...claims, amr: ['pwd'], acr: '0' }, header)).rejects.toThrow(MfaRequired)
    },
  )

  it('P3: a role or tenant that the map does not name is dropped, whatever its name', async () => {
    const claims = { sub: 'u', aud: AUDIENCE, tenant: 'riverside', auth_time: signedIn, amr: ['mfa'] }
    const map = { roleNames: { 'phi-physicians': 'PHYSICIAN' } }
    for (const roles of [['PHYSICIAN'], ['toString'], ['__proto__'], ['Everyone']])
      await expect(callerBy(map, { ...claims, roles })).rejects.toThrow(Unauthenticated)
    const tenants = { tenants: { one: 'riverside' } }
    for (const tenant of ['riverside', 'constructor', 'two'])
      await expect(callerBy(tenants, { ...claims, roles: ['PHYSICIAN'], tenant })).rejects.toThrow(Unauthenticated)
  })

  it.each([[{ rolles: 'groups' }], [{ roles: '' }], [{ mfaMethods: 'mfa' }], [{ tenants: ['riverside'] }]])(
    'an invalid map is rejected: %j',
    (map) => {
      expect(ClaimMap.safeParse(map).success).toBe(false)
    },
  )
})

describe('a machine client', () => {
  const now = Math.floor(Date.now() / 1000)
  const CLIENT = { sub: 'acme', client_id: 'acme', aud: AUDIENCE, tenant: 'riverside', roles: ['PARTNER'], sid: 'x', iat: now }

  it('is the user itself, and has no session', async () => {
    const caller = await callerBy({}, { ...CLIENT, exp: now + 3600 })
    expect(caller).toMatchObject({ user: 'acme', client: 'acme' })
    expect(Object.keys(caller)).not.toContain('session')
  })

  it('is recognized by a claim if the issuer gives it a separate subject', async () => {
    const machine = { machine: { claim: 'gty', is: 'client-credentials' } }
    const caller = await callerBy(machine, { ...CLIENT, sub: 'acme@clients', gty: 'client-credentials', exp: now + 3600 })
    expect(caller).toMatchObject({ user: 'acme', client: 'acme' })
  })

  it.each<[string, TokenParts]>([
    ['lives longer than an hour', { exp: now + 3601 }],
    ['has no time of issue', { iat: undefined }],
    ['has no subject', { sub: undefined }],
  ])('is refused if its token %s', async (_what, claims) => {
    await expect(callerBy({}, { ...CLIENT, exp: now + 3600, ...claims })).rejects.toThrow(Unauthenticated)
  })

  it('P3: is refused for a role that needs a second factor', async () => {
    await expect(callerBy({}, { ...CLIENT, exp: now + 3600, roles: ['PHYSICIAN'] })).rejects.toThrow(MfaRequired)
  })
})
