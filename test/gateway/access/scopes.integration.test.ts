import { afterAll, beforeAll, expect, it } from 'vitest'
import { read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, nodesAt } from '../asking.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { AUDIENCE, ISSUER, startIssuer, type TokenParts } from './issuer.ts'

let clinic: RunningClinic
let issuer: Awaited<ReturnType<typeof startIssuer>>
beforeAll(async () => {
  ;[clinic, issuer] = await Promise.all([runClinic({ riverside: 1, lakeside: 1 }), startIssuer('ES256')])
}, 60_000)
afterAll(async () => {
  await Promise.all([clinic.stop(), issuer.stop()])
}, 60_000)

const MAP = {
  purpose: 'extensions.hl7-b2b.purpose_of_use',
  purposeNames: { 'urn:oid:2.16.840.1.113883.3.7204.1.5.2.1#T-PYMNT': 'HPAYMT' },
  scope: 'scope',
  scopes: {
    'system/Coverage.rs': { roles: ['PARTNER'], purposes: ['HPAYMT'] },
    'system/Claim.rs': { roles: ['BILLING'], purposes: ['HPAYMT'] },
  },
}

it('P3: the scopes and the exchange purpose of a partner’s token decide at the endpoint', async () => {
  const env = { PHI_ISSUER: ISSUER, PHI_AUDIENCE: AUDIENCE, PHI_JWKS_URI: issuer.jwksUri, PHI_CLAIMS: JSON.stringify(MAP) }
  const { gateway } = await clinic.another({ env })
  const exp = Math.floor(Date.now() / 1000) + 600
  const token = (scope: unknown, code: string): TokenParts => {
    const purpose_of_use = [`urn:oid:2.16.840.1.113883.3.7204.1.5.2.1#${code}`]
    const of = { sub: 'acme', client_id: 'acme', aud: AUDIENCE, tenant: 'riverside', roles: ['PARTNER', 'BILLING'], amr: ['mfa'] }
    return { ...of, exp, scope, extensions: { 'hl7-b2b': { version: '1', purpose_of_use } } }
  }
  const send = async (claims: TokenParts, body: object) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${await issuer.sign(claims)}` }
    return read(await gateway.handle({ method: 'POST', headers, body: JSON.stringify(body), sourceIp: '127.0.0.1' }))
  }
  const acme = { tenant: 'riverside' as TenantId, client: 'acme' }
  const ask = (claims: TokenParts, query: string) => send(claims, { documentId: clinic.operations.register(acme, query) })
  const VIEWER = '{ viewer { roles purpose mayClaim } }'
  for (const scope of ['openid system/Coverage.rs', ['openid', 'system/Coverage.read']]) {
    const { status, data } = await ask(token(scope, 'T-PYMNT'), VIEWER)
    expect([status, at(data, 'viewer')]).toEqual([200, { roles: ['PARTNER'], purpose: 'HPAYMT', mayClaim: ['HPAYMT'] }])
  }
  const refused = async (scope: unknown, code: string) => {
    const { status, errors } = await ask(token(scope, code), VIEWER)
    return [status, errors[0]?.extensions['code']]
  }
  expect(await refused('openid system/Patient.rs', 'T-PYMNT')).toEqual([401, 'UNAUTHENTICATED'])
  expect(await refused('system/Coverage.rs', 'T-TREAT')).toEqual([400, 'BAD_REQUEST'])

  // a scope that leaves out the role of the partner does not make it a first party
  const asBilling = token('system/Claim.rs', 'T-PYMNT')
  expect((await send(asBilling, { query: VIEWER })).errors[0]?.extensions['code']).toBe('PERSISTED_DOCUMENT_ID_REQUIRED')
  expect(at((await ask(asBilling, VIEWER)).data, 'viewer', 'roles')).toEqual(['BILLING'])

  // `Patient.address` is open to BILLING, which the token has and its scopes do not
  const query = '{ patients { edges { node { familyName address { city } } } } }'
  const { data, errors } = await ask(token('system/Coverage.rs', 'T-PYMNT'), query)
  expect(nodesAt(data, 'patients')).toEqual([{ familyName: expect.any(String) as string, address: { city: null } }])
  expect(errors.map(({ extensions }) => [extensions['coordinate'], extensions['reason']])).toEqual([
    ['Patient.address.city', 'ROLE'],
  ])
})
