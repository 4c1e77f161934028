import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { JwtVerifier } from 'aws-jwt-verify'
import { SimpleJwksCache } from 'aws-jwt-verify/jwk'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEMO_USERS } from '../../../infra/local/users.ts'
import { type IdentityProvider, startIdentityProvider } from '../../../infra/local/identity-provider.ts'

/** aws-jwt-verify fetches keys only over https; the loopback interface is the exception */
const loopbackKeys = () => new SimpleJwksCache({ fetcher: { fetch: async (uri) => (await fetch(uri)).arrayBuffer() } })

const verifierOf = ({ issuer, jwksUri }: Pick<IdentityProvider, 'issuer' | 'jwksUri'>, audience = 'phi-gateway') =>
  JwtVerifier.create({ issuer, audience, jwksUri }, { jwksCache: loopbackKeys() })

describe('tokens of the local identity provider', () => {
  let idp: IdentityProvider
  beforeAll(async () => {
    idp = await startIdentityProvider({ port: 0, users: DEMO_USERS })
  })
  afterAll(() => idp.stop())

  it('verify against its keys and identify the caller', async () => {
    const before = Math.floor(Date.now() / 1000)
    const token = await idp.tokenFor('physician', 'TREAT')
    const claims = await verifierOf(idp).verify(token)
    expect(claims).toMatchObject({
      iss: idp.issuer,
      sub: 'physician',
      aud: 'phi-gateway',
      tenant: 'riverside',
      organization: 'riverside',
      roles: ['PHYSICIAN'],
      fhirUser: 'Practitioner/physician',
      purpose_of_use: 'TREAT',
      amr: ['pwd', 'mfa'],
    })
    expect(claims['client_id']).toEqual(expect.any(String))
    expect(claims['sid']).toEqual(expect.any(String))
    expect(claims['auth_time']).toBeGreaterThanOrEqual(before)
    expect((claims.exp ?? Infinity) - (claims.iat ?? 0)).toBeLessThanOrEqual(3600)
    const header: unknown = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
    expect(header).toMatchObject({ typ: 'at+jwt', alg: 'RS256' })
  })

  it('exist for every demo user, each with its own tenant, role and session', async () => {
    const verifier = verifierOf(idp)
    const claims = await Promise.all(DEMO_USERS.map(async ({ name }) => verifier.verify(await idp.tokenFor(name))))
    expect(claims.map(({ sub, tenant, roles }) => [sub, tenant, roles])).toEqual(
      DEMO_USERS.map(({ name, tenant, role }) => [name, tenant, [role]]),
    )
    expect(claims.every((claim) => claim['purpose_of_use'] === undefined)).toBe(true)
    expect(new Set(claims.map((claim) => claim['sid'])).size).toBe(DEMO_USERS.length)
  })

  it('name the public client that asked for them', async () => {
    const clientOf = async (client?: string) =>
      (await verifierOf(idp).verify(await idp.tokenFor('patient', undefined, client)))['client_id']
    expect(await clientOf()).toBe('phi-demo')
    expect(await clientOf('portal')).toBe('portal')
    await expect(idp.tokenFor('patient', undefined, 'acme')).rejects.toMatchObject({ name: 'NoToken' })
    await expect(idp.tokenFor('patient', undefined, 'unknown')).rejects.toMatchObject({ name: 'NoToken' })
  })

  it('name a machine client as the subject, without a second factor', async () => {
    const claims = await verifierOf(idp).verify(await idp.tokenFor('acme', 'HPAYMT'))
    expect(claims).toMatchObject({
      sub: 'acme',
      client_id: 'acme',
      roles: ['PARTNER'],
      tenant: 'riverside',
      purpose_of_use: 'HPAYMT',
    })
    expect(claims['amr']).toBeUndefined()
  })

  it('do not verify after a change of a claim, the algorithm or the signature, or for another audience', async () => {
    const verifier = verifierOf(idp)
    const [header = '', payload = '', signature = ''] = (await idp.tokenFor('billing')).split('.')
    const edit = (part: string, change: object): string =>
      Buffer.from(JSON.stringify({ ...(JSON.parse(Buffer.from(part, 'base64url').toString()) as object), ...change })).toString(
        'base64url',
      )

    await expect(verifier.verify(`${header}.${edit(payload, { roles: ['PHYSICIAN'] })}.${signature}`)).rejects.toThrow(
      'Invalid signature',
    )
    await expect(verifier.verify(`${edit(header, { alg: 'none' })}.${payload}.`)).rejects.toThrow()
    const turned = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
    await expect(verifier.verify(`${header}.${payload}.${turned}`)).rejects.toThrow('Invalid signature')
    const intact = `${header}.${payload}.${signature}`
    await expect(verifierOf(idp, 'another-api').verify(intact)).rejects.toThrow('Audience not allowed')
    await expect(verifier.verify(intact)).resolves.toMatchObject({ sub: 'billing' })
  })

  it('are refused for an unknown user, a machine client without its secret, and an invalid purpose', async () => {
    await expect(idp.tokenFor('nobody')).rejects.toMatchObject({ name: 'NoToken' })
    await expect(idp.tokenFor('nurse', 'x-y')).rejects.toMatchObject({ name: 'NoToken' })
    const stolen = { tokenEndpoint: idp.tokenEndpoint, clientSecrets: {} }
    const { fetchToken } = await import('../../../infra/local/token.ts')
    await expect(fetchToken(stolen, 'acme')).rejects.toMatchObject({ name: 'NoToken' })
    await expect(fetchToken({ ...stolen, clientSecrets: { acme: 'guessed' } }, 'acme')).rejects.toMatchObject({ name: 'NoToken' })
  })

  it('are described at the address of OpenID Discovery, only for the local host name', async () => {
    const discovery: unknown = await (await fetch(`${idp.issuer}/.well-known/openid-configuration`)).json()
    expect(discovery).toMatchObject({ issuer: idp.issuer, jwks_uri: idp.jwksUri, token_endpoint: idp.tokenEndpoint })
    expect(await statusFor(new URL(idp.jwksUri), 'rebound.example')).toBe(403)
  })
})

describe('tokens survive a restart', () => {
  it('verifies an earlier token against the keys after the restart', async () => {
    const dataFolder = mkdtempSync(join(tmpdir(), 'phi-idp-'))
    try {
      const before = await startIdentityProvider({ port: 0, dataFolder, users: DEMO_USERS })
      const token = await before.tokenFor('nurse')
      await before.stop()
      const after = await startIdentityProvider({ port: Number(new URL(before.issuer).port), dataFolder, users: DEMO_USERS })
      await expect(verifierOf(after).verify(token)).resolves.toMatchObject({ sub: 'nurse' })
      await after.stop()
    } finally {
      rmSync(dataFolder, { recursive: true })
    }
  })
})

/** fetch does not let a caller choose the Host header. */
async function statusFor(url: URL, host: string): Promise<number | undefined> {
  const { get } = await import('node:http')
  return new Promise((resolve, reject) => {
    get({ host: url.hostname, port: url.port, path: url.pathname, headers: { host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', reject)
  })
}
