import { readFileSync } from 'node:fs'
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
  const iss = typeof claims['iss'] === 'string' ? claims['iss'] : ISSUER
  const options = { issuer: iss, audience: AUDIENCE, jwksUri: issuer.jwksUri, claims: ClaimMap.parse(map) }
  const authorization = `Bearer ${await issuer.sign(claims, header)}`
  return await tokenIdentity(options, clinic.policy).callerOf({ authorization })
}
const signedIn = Math.floor(Date.now() / 1000) - 60
const DIRECTORY = 'b7e2f0a4-5d55-4a8e-9f0c-0f6f2e2f4d11'

/** The claim maps of `docs/identity.md`, as written there. */
const MAPS = new Map(
  [...readFileSync('docs/identity.md', 'utf8').matchAll(/^- \*\*(.+?)\*\*: `(\{[^`]+\})`/gm)].map(([, name = '', map = '']) => [
    name,
    JSON.parse(map) as TokenParts,
  ]),
)

interface Sample {
  readonly claims: TokenParts
  readonly header: TokenParts
  readonly expected: TokenParts
  /** The claim that proves the second factor. */
  readonly factor: string
}

const PERSON = { sub: 'u', aud: AUDIENCE, tenant: 'riverside', auth_time: signedIn, amr: ['mfa'] }
const MICROSOFT_ROLE = { 'http://schemas.microsoft.com/ws/2008/06/identity/claims/role': 'PHYSICIAN' }

/** Access tokens of people in the form of each issuer. */
const SAMPLES: Readonly<Record<string, Sample>> = {
  Cognito: {
    claims: {
      iss: 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE',
      sub: '3f0e2c4e-8f5b-4a53-9e9c-2d1f6b7a1c11',
      token_use: 'access',
      client_id: AUDIENCE,
      version: 2,
      scope: 'openid aws.cognito.signin.user.admin',
      'custom:tenant': 'riverside',
      'cognito:groups': ['us-east-1_EXAMPLE_Google', 'PHYSICIAN'],
      origin_jti: 'f0c1a2b3-0001-4d5e-8f90-a1b2c3d4e5f6',
      event_id: 'e0c1a2b3-0002-4d5e-8f90-a1b2c3d4e5f6',
      jti: 'd0c1a2b3-0003-4d5e-8f90-a1b2c3d4e5f6',
      username: 'clinic_1',
      auth_time: signedIn,
      amr: ['software_token_mfa'],
    },
    header: { typ: undefined },
    expected: { session: 'f0c1a2b3-0001-4d5e-8f90-a1b2c3d4e5f6', client: AUDIENCE },
    factor: 'amr',
  },
  Auth0: {
    claims: {
      iss: 'https://clinic.eu.auth0.example/',
      sub: 'samlp|clinic-directory|clinician@clinic.example',
      aud: [AUDIENCE, 'https://clinic.eu.auth0.example/userinfo'],
      azp: 'web',
      scope: 'openid profile',
      permissions: [],
      'https://phi.example/tenant': 'riverside',
      'https://phi.example/roles': ['PHYSICIAN'],
      acr: 'urn:mfa',
      auth_time: signedIn,
    },
    header: {},
    expected: { client: 'web', session: `auth_time:${signedIn * 1000}` },
    factor: 'acr',
  },
  'Entra, tokens of version 2': {
    claims: {
      iss: `https://login.microsoftonline.com/${DIRECTORY}/v2.0`,
      sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
      oid: '00000000-0000-0000-66f3-3332eca7ea81',
      aud: AUDIENCE,
      azp: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
      azpacr: '0',
      idtyp: 'user',
      tid: DIRECTORY,
      ver: '2.0',
      roles: ['PHYSICIAN'],
      acrs: ['p1', 'c1'],
      sid: '0011aabb-session',
      nbf: signedIn - 300,
      uti: 'fqiBqXLPj0eQa82S-IYFAA',
      rh: '0.ASgA',
    },
    header: { typ: 'JWT' },
    expected: { client: '6e74172b-be56-4843-9ff4-e66a39bb12e3', session: '0011aabb-session' },
    factor: 'acrs',
  },
  'Entra, tokens of version 1': {
    claims: {
      iss: `https://sts.windows.net/${DIRECTORY}/`,
      sub: 'BBBBAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
      aud: AUDIENCE,
      appid: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
      appidacr: '0',
      tid: DIRECTORY,
      ver: '1.0',
      acr: '1',
      amr: ['pwd', 'mfa'],
      roles: ['PHYSICIAN'],
      unique_name: 'clinician@clinic.example',
      nbf: signedIn - 300,
      sid: '0011aabb-session',
    },
    header: { typ: 'JWT', x5t: 'nOo3ZDrODXEK1jKWhXslHR_KXEg' },
    expected: { client: '6e74172b-be56-4843-9ff4-e66a39bb12e3', session: '0011aabb-session' },
    factor: 'amr',
  },
  Okta: {
    claims: {
      ver: 1,
      jti: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
      iss: 'https://clinic.okta.example/oauth2/default',
      sub: 'clinician@clinic.example',
      aud: AUDIENCE,
      cid: 'web',
      uid: '00ujmkLgagxeRrAg20g3',
      scp: ['openid', 'email'],
      groups: ['Everyone', 'phi-physicians', `CN=${'x'.repeat(255)},DC=clinic,DC=example`, ''],
      auth_time: signedIn,
      amr: ['mfa', 'pwd'],
    },
    header: { typ: undefined },
    expected: { client: 'web', session: `auth_time:${signedIn * 1000}` },
    factor: 'amr',
  },
  Keycloak: {
    claims: {
      iss: 'https://sso.example/realms/riverside',
      jti: 'onrtac:d58f5dc8-fd8f-462b-8a19-716f8f83985b',
      sub: '36fa0f91-f94d-4a0c-afed-6b7d952e47da',
      aud: [AUDIENCE, 'account'],
      typ: 'Bearer',
      azp: 'web',
      acr: '2',
      'allowed-origins': ['https://app.example'],
      realm_access: { roles: ['offline_access', 'default-roles-riverside', 'PHYSICIAN'] },
      resource_access: { account: { roles: ['manage-account', 'view-profile'] } },
      scope: 'openid email profile',
      sid: '2a88c258-f73a-4103-b862-e1fbd8f4e04e',
      auth_time: signedIn,
    },
    header: { typ: 'JWT' },
    expected: { client: 'web', session: '2a88c258-f73a-4103-b862-e1fbd8f4e04e' },
    factor: 'acr',
  },
  'AD FS': {
    claims: {
      iss: 'http://adfs.clinic.example/adfs/services/trust',
      sub: 'clinician@clinic.example',
      aud: AUDIENCE,
      apptype: 'Confidential',
      appid: '60b3d106-d155-4f9f-ba75-84b8078829fa',
      authmethod: [
        'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport',
        'http://schemas.microsoft.com/claims/multipleauthn',
      ],
      auth_time: new Date(signedIn * 1000 + 180).toISOString(),
      ver: '1.0',
      scp: 'openid',
      sid: 'S-1-5-21-1004336348-1177238915-682003330-512',
      role: 'PHYSICIAN',
      tenant: 'riverside',
    },
    header: { typ: 'JWT', x5t: 'jeeTjLUaoV_5jJgqW1jVLfYl8Gik' },
    expected: {
      client: '60b3d106-d155-4f9f-ba75-84b8078829fa',
      session: new Date(signedIn * 1000 + 180).toISOString(),
      authTime: signedIn * 1000 + 180,
    },
    factor: 'authmethod',
  },
}

/** The map of an issuer and its sample. */
const issued = (name: string): Sample & { readonly map: TokenParts } => {
  const [map, sample] = [MAPS.get(name), SAMPLES[name]]
  if (map === undefined || sample === undefined) throw new Error('the document and the samples differ')
  return { ...sample, map }
}

describe('the claims of an issuer are mapped by configuration', () => {
  it('each issuer of the document has a sample', () => {
    expect([...MAPS.keys()].toSorted()).toEqual(Object.keys(SAMPLES).toSorted())
  })

  it.each(Object.keys(SAMPLES))('%s', async (name) => {
    const { map, claims, header, expected } = issued(name)
    const caller = await callerBy(map, claims, header)
    expect(caller).toMatchObject({ ...expected, tenant: 'riverside', roles: new Set(['PHYSICIAN']), mfa: true })
  })

  it.each(Object.keys(SAMPLES))('%s: another audience, an id token and a missing second factor are refused', async (name) => {
    const { map, claims, header, factor } = issued(name)
    const audience = typeof map['audience'] === 'string' ? map['audience'] : 'aud'
    await expect(callerBy(map, { ...claims, [audience]: 'another-api' }, header)).rejects.toThrow(Unauthenticated)
    await expect(callerBy(map, { ...claims, token_use: 'id' }, { typ: 'JWT' })).rejects.toThrow(Unauthenticated)
    await expect(callerBy(map, { ...claims, [factor]: '0' }, header)).rejects.toThrow(MfaRequired)
    await expect(callerBy(map, { ...claims, [factor]: undefined }, header)).rejects.toThrow(MfaRequired)
  })

  it('P3: an id token of Keycloak is refused by the value of a claim, not by its presence', async () => {
    const { map, claims, header } = issued('Keycloak')
    for (const typ of ['ID', 'Refresh', ['Bearer'], undefined])
      await expect(callerBy(map, { ...claims, typ }, header)).rejects.toThrow(Unauthenticated)
  })

  it.each([
    ['realm_access.roles', { realm_access: { roles: ['PHYSICIAN'] } }],
    ['resource_access.phi.gateway.roles', { resource_access: { 'phi.gateway': { roles: 'PHYSICIAN' } } }],
    ['https://clinic.example/claims.roles', { 'https://clinic.example/claims': { roles: ['PHYSICIAN'] } }],
    ['a.roles', { 'a.roles': ['PHYSICIAN'], a: { roles: ['ADMIN'] } }],
    ['a.b.roles', { 'a.b': { roles: ['PHYSICIAN'] }, a: { 'b.roles': ['ADMIN'] } }],
    ['http://schemas.microsoft.com/ws/2008/06/identity/claims/role', MICROSOFT_ROLE],
  ])('a path finds a claim by its name first, then inside of objects: %s', async (roles, claims) => {
    await expect(callerBy({ roles }, { ...PERSON, ...claims })).resolves.toMatchObject({ roles: new Set(['PHYSICIAN']) })
  })

  it.each([
    ['realm_access.roles', { realm_access: ['PHYSICIAN'] }],
    ['realm_access.roles', { realm_access: [{ roles: ['PHYSICIAN'] }] }],
    ['realm_access.roles', { realm_access: null, roles: ['PHYSICIAN'] }],
    ['a.b.roles', { 'a.b': 7, a: { b: { roles: ['PHYSICIAN'] } } }],
    ['constructor.name', {}],
    ['__proto__.roles', {}],
    ['roles.length', { roles: 'PHYSICIAN' }],
  ])('P3: a path leads through objects of the token only: %s %j', async (roles, claims) => {
    await expect(callerBy({ roles }, { ...PERSON, ...claims })).rejects.toThrow(Unauthenticated)
  })

  it('P3: a role or tenant that the map does not name is dropped, whatever its name', async () => {
    const claims = { sub: 'u', aud: AUDIENCE, tenant: 'riverside', auth_time: signedIn, amr: ['mfa'] }
    const map = { roleNames: { 'phi-physicians': 'PHYSICIAN' } }
    for (const roles of [['PHYSICIAN'], ['toString'], ['__proto__'], ['Everyone']])
      await expect(callerBy(map, { ...claims, roles })).rejects.toThrow(Unauthenticated)
    const tenants = { tenants: { one: 'riverside' } }
    for (const tenant of ['riverside', 'constructor', 'two'])
      await expect(callerBy(tenants, { ...claims, roles: ['PHYSICIAN'], tenant })).rejects.toThrow(Unauthenticated)
  })

  it.each([
    [{ rolles: 'groups' }],
    [{ roles: '' }],
    [{ mfaMethods: 'mfa' }],
    [{ tenants: ['riverside'] }],
    [{ accessToken: { claim: 'typ' } }],
  ])('a map with a mistake is none: %j', (map) => {
    expect(ClaimMap.safeParse(map).success).toBe(false)
  })
})

describe('the FHIR identity is a reference of the tenant', () => {
  const fhirBases = {
    riverside: ['https://fhir.riverside.example/r4', 'http://10.0.0.7:8080/fhir/'],
    lakeside: ['https://lake.example/fhir'],
  }
  const identityOf = async (fhirUser: unknown, claims: TokenParts = {}) =>
    (await callerBy({ fhirBases }, { ...PERSON, roles: ['PHYSICIAN'], fhirUser, ...claims })).fhirUser

  it.each([
    'Practitioner/123',
    'Practitioner/123/_history/4',
    'https://fhir.riverside.example/r4/Practitioner/123',
    'https://FHIR.riverside.example:443/r4/Practitioner/123',
    'https://fhir.riverside.example/r4/Practitioner/123/_history/4',
    'https://fhir.riverside.example/r4/./x/../Practitioner/123',
    'http://10.0.0.7:8080/fhir/Practitioner/123',
  ])('%s is Practitioner/123', async (fhirUser) => {
    expect(await identityOf(fhirUser)).toBe('Practitioner/123')
    expect(await identityOf([fhirUser])).toBe('Practitioner/123')
  })

  it.each([
    'https://fhir.riverside.example/Practitioner/123',
    'https://fhir.riverside.example/r4x/Practitioner/123',
    'https://fhir.riverside.example/r4/x/Practitioner/123',
    'https://fhir.riverside.example/r4//Practitioner/123',
    'https://fhir.riverside.example/R4/Practitioner/123',
    'https://fhir.riverside.example/r4/../Practitioner/123',
    'https://fhir.riverside.example/r4/%2e%2e/Practitioner/123',
    'https://fhir.riverside.example/r4/Practitioner/123/',
    'https://fhir.riverside.example/r4/Practitioner/123?x=1',
    'https://fhir.riverside.example/r4/Practitioner/123#x',
    'https://fhir.riverside.example/r4/Practitioner/1%32',
    'http://fhir.riverside.example/r4/Practitioner/123',
    'https://fhir.riverside.example:8443/r4/Practitioner/123',
    'https://fhir.riverside.example.evil.example/r4/Practitioner/123',
    'https://fhir.riverside.example@evil.example/r4/Practitioner/123',
    'https://user@fhir.riverside.example/r4/Practitioner/123',
    'https://evil.example/https://fhir.riverside.example/r4/Practitioner/123',
    'https://lake.example/fhir/Practitioner/123',
    'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0',
    '/Practitioner/123',
    'practitioner/123',
  ])('P3: %s is somebody else', async (fhirUser) => {
    expect(await identityOf(fhirUser)).toBe(fhirUser)
  })

  it('P5: a server of one tenant has no ids of another tenant', async () => {
    const url = 'https://lake.example/fhir/Practitioner/123'
    expect(await identityOf(url, { tenant: 'lakeside' })).toBe('Practitioner/123')
    expect(await identityOf(url)).toBe(url)
    expect(await identityOf('https://fhir.riverside.example/r4/Practitioner/123', { tenant: 'constructor' })).toContain('https:')
  })

  it('without a base, a URL with an id of 64 characters is a valid identity that nobody else has', async () => {
    const url = `https://fhir.clinic.example/interconnect/api/FHIR/R4/Practitioner/e${'5'.repeat(63)}`
    await expect(callerBy({}, { ...PERSON, roles: ['PHYSICIAN'], fhirUser: url })).resolves.toMatchObject({ fhirUser: url })
  })

  it('the organization of the caller is a reference too', async () => {
    const organization = 'https://fhir.riverside.example/r4/Organization/7'
    const caller = await callerBy({ fhirBases }, { ...PERSON, roles: ['PHYSICIAN'], organization })
    expect(caller).toMatchObject({ organization: 'Organization/7' })
  })

  it.each(['fhir.example', 'ftp://fhir.example', 'https://user@fhir.example', 'https://fhir.example?x', 'https://fhir.example/#x'])(
    'a base that is no URL of a server is a mistake: %s',
    (base) => {
      expect(ClaimMap.safeParse({ fhirBases: { riverside: [base] } }).success).toBe(false)
    },
  )
})

describe('the time of the sign-in', () => {
  const at = Math.floor(Date.now() / 1000) - 90
  it.each([[at], [String(at)], [new Date(at * 1000).toISOString()], ['+02:00']])(
    'is seconds or an ISO time: %s',
    async (written) => {
      const auth_time = written === '+02:00' ? new Date((at + 7_200) * 1000).toISOString().replace('Z', written) : written
      await expect(callerBy({}, { ...PERSON, roles: ['PHYSICIAN'], auth_time })).resolves.toMatchObject({ authTime: at * 1000 })
    },
  )

  it.each([['yesterday'], ['-1'], [-1], ['2020-01-01'], ['2020-01-01T00:00:00'], [''], [true]])(
    'P3: in another form it is refused: %j',
    async (auth_time) => {
      await expect(callerBy({}, { ...PERSON, roles: ['PHYSICIAN'], auth_time })).rejects.toThrow(Unauthenticated)
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
    ['dated back with its start', { iat: now - 300, nbf: now - 300, exp: now + 3600 }],
    ['with a start before its issue', { iat: now, nbf: now - 300, exp: now + 3900 }],
  ])('may have 65 minutes, %s, as Entra issues them', async (_what, times) => {
    const { map, claims } = issued('Entra, tokens of version 2')
    const app = { idtyp: 'app', sub: 'e0b8a0f2-service', roles: ['PARTNER'], acrs: undefined, sid: undefined }
    const caller = await callerBy(map, { ...claims, ...app, ...times }, { typ: 'JWT' })
    expect(caller).toMatchObject({ user: claims['azp'], client: claims['azp'], tenant: 'riverside' })
    expect(Object.keys(caller)).not.toContain('session')
  })

  it.each<[string, TokenParts]>([
    ['lives longer than an hour', { exp: now + 3601 }],
    ['lives longer than an hour from a start after its issue', { nbf: now + 1, exp: now + 3601 }],
    ['lives longer than 65 minutes', { nbf: now - 300, exp: now + 3901 }],
    ['does not say since when', { iat: undefined }],
    ['has no subject', { sub: undefined }],
  ])('is refused if its token %s', async (_what, claims) => {
    await expect(callerBy({}, { ...CLIENT, exp: now + 3600, ...claims })).rejects.toThrow(Unauthenticated)
  })

  it('P3: is refused for a role that needs a second factor', async () => {
    await expect(callerBy({}, { ...CLIENT, exp: now + 3600, roles: ['PHYSICIAN'] })).rejects.toThrow(MfaRequired)
  })
})
