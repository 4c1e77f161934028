import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { fetchToken } from '../../../infra/local/token.ts'
import type { CredentialFault } from '../../../gateway/model/credential-fault.ts'
import { read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, nodesAt, RIVERSIDE } from '../asking.ts'
import { AUDIENCE, ISSUER, startIssuer, type TokenParts } from './issuer.ts'

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
}, 60_000)
afterAll(async () => {
  await clinic.stop()
}, 60_000)

it('every fault of a token yields the same bytes, except for the request id', async () => {
  const good = await fetchToken(clinic.stack, 'physician')
  const [header = '', payload = '', signature = ''] = good.split('.')
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  const fields = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>
  const faults: (string | undefined)[] = [
    undefined,
    '',
    'Basic eDp5',
    'Bearer x',
    `Bearer ${header}.${payload}.`,
    `Bearer ${header}.${payload}.AAAA`,
    `Bearer ${header}.${part({ ...claims, roles: ['ADMIN'] })}.${signature}`,
    `Bearer ${header}.${part({ ...claims, exp: 1 })}.${signature}`,
    `Bearer ${header}.${part({ ...claims, iss: 'https://other.example' })}.${signature}`,
    ...['none', 'None', 'NONE', 'HS256', 'ES256'].map((alg) => `Bearer ${part({ ...fields, alg })}.${payload}.${signature}`),
    `Bearer ${part({ ...fields, kid: '../../etc/passwd' })}.${payload}.${signature}`,
    `Bearer ${part({ ...fields, kid: 'unknown' })}.${payload}.${signature}`,
    `Bearer ${part({ ...fields, jku: 'http://127.0.0.1:1/' })}.${payload}.${signature}`,
    `Bearer ${'x'.repeat(20_000)}.x.x`,
  ]
  const answers = new Set<string>()
  for (const authorization of faults) {
    const { status, headers, body } = await clinic.gateway.handle({
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) },
      body: JSON.stringify({ query: '{ viewer { userId } }' }),
    })
    const { extensions } = JSON.parse(body) as { extensions: { phi: { requestId: string } } }
    answers.add(JSON.stringify({ status, headers, body: body.replace(extensions.phi.requestId, 'id') }))
  }
  expect([...answers].map((answer) => JSON.parse(answer) as unknown)).toEqual([
    expect.objectContaining({ status: 401, headers: expect.objectContaining({ 'www-authenticate': 'Bearer' }) as unknown }),
  ])
})

describe('failures before authentication are counted in their own table', () => {
  const table = () => clinic.stack.env.PHI_TABLE_SECURITY
  const linesOf = async (source: string): Promise<Record<string, number>[]> => {
    const { Items = [] } = await clinic.stack.dynamodb.send(new ScanCommand({ TableName: table() }))
    return Items.filter(({ sk }) => sk?.S?.endsWith(`#${source}`) === true).map((item) =>
      Object.fromEntries(
        Object.entries(item).flatMap(([name, { N }]) => (N === undefined || name === 'expires' ? [] : [[name, Number(N)]])),
      ),
    )
  }
  const ask = async (gateway: RunningClinic['gateway'], authorization: string | undefined, sourceIp: string) => {
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'canary-agent',
      ...(authorization !== undefined && { authorization }),
    }
    return await gateway.handle({ method: 'POST', headers, body: JSON.stringify({ query: '{ viewer { userId } }' }), sourceIp })
  }
  const badTokens = (good: string): Partial<Record<CredentialFault, string | undefined>> => {
    const [header = '', payload = '', signature = ''] = good.split('.')
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const fields = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>
    return {
      ABSENT: undefined,
      MALFORMED: 'Bearer canary-token',
      OVERSIZED: `Bearer ${'x'.repeat(20_000)}.x.x`,
      SIGNATURE: `Bearer ${header}.${part({ sub: 'canary-subject', roles: ['ADMIN'], exp: 1e10, iss: clinic.stack.env.PHI_ISSUER })}.${signature}`,
      ALGORITHM: `Bearer ${part({ ...fields, alg: 'none' })}.${payload}.${signature}`,
      UNKNOWN_KEY: `Bearer ${part({ ...fields, kid: 'canary-key' })}.${payload}.${signature}`,
      FOREIGN_KEY: `Bearer ${part({ ...fields, jku: 'http://127.0.0.1:1/' })}.${payload}.${signature}`,
    }
  }

  it('P8: 200 bad tokens cause few writes with correct counts; a good token passes; no token, subject or user agent is stored', async () => {
    let later = 0
    const { gateway, services, events } = await clinic.another({ now: () => Date.now() + later })
    const good = await fetchToken(clinic.stack, 'physician')
    const bad = Object.entries(badTokens(good))
    for (let n = 0; n < 200; n++) {
      expect((await ask(gateway, bad[n % bad.length]?.[1], '198.51.100.9')).status).toBe(401)
      if (n === 100) expect((await ask(gateway, `Bearer ${good}`, '198.51.100.9')).status).toBe(200)
    }
    // an accepted request waits for no write, and lets one begin
    later = 5_000
    expect((await ask(gateway, `Bearer ${good}`, '198.51.100.9')).status).toBe(200)
    const expected = bad.map(([fault], index) => [fault, Math.ceil((200 - index) / bad.length)])
    await vi.waitFor(async () => {
      const total: Record<string, number> = {}
      for (const line of await linesOf('198.51.100.9'))
        for (const [name, count] of Object.entries(line)) total[name] = (total[name] ?? 0) + count
      expect(total).toEqual(Object.fromEntries(expected))
    })
    // one write for each five seconds, and one more at the start of a minute; a slow machine needs some more
    expect(services.security.counter.requests).toBeLessThan(20)
    expect(JSON.stringify(await clinic.stack.dynamodb.send(new ScanCommand({ TableName: table() })))).not.toMatch(
      /canary|physician|ADMIN/,
    )
    const told = events.flatMap((event) => (event.event === 'AUTH_FAILURES' ? [event.count] : []))
    expect(told.reduce((sum, count) => sum + count)).toBe(200)
  })

  it('are not in the audit', async () => {
    const { body } = await ask(clinic.gateway, 'Bearer x', '198.51.100.10')
    const { extensions } = JSON.parse(body) as { extensions: { phi: { requestId: string } } }
    expect(await clinic.services.history.ofRequest(RIVERSIDE, extensions.phi.requestId)).toEqual([])
    const { Items = [] } = await clinic.stack.dynamodb.send(new ScanCommand({ TableName: clinic.stack.env.PHI_TABLE_AUDIT }))
    expect(JSON.stringify(Items)).not.toContain('198.51.100.')
  })

  it('with an unavailable table the answer is the same, and operators get an event', async () => {
    const { gateway, events } = await clinic.another({ env: { PHI_TABLE_SECURITY: 'gone' } })
    const [here, away] = [await ask(clinic.gateway, 'Bearer x', '198.51.100.11'), await ask(gateway, 'Bearer x', '198.51.100.11')]
    const bytes = ({ status, headers, body }: typeof here) =>
      JSON.stringify({ status, headers, body: body.replaceAll(/"requestId":"[^"]*"/g, '') })
    expect(bytes(away)).toBe(bytes(here))
    expect(away.status).toBe(401)
    expect(events).toContainEqual({ event: 'AUTH_FAILURES_UNWRITTEN', cause: 'ResourceNotFoundException', lost: 0 })
  })

  it('include requests with an ended session', async () => {
    let later = 0
    const { gateway } = await clinic.another({
      now: () => Date.now() + later,
      env: { PHI_SESSIONS: '{"idleMinutes": {"CLINICIAN": 1}}' },
    })
    const good = await fetchToken(clinic.stack, 'nurse')
    expect((await ask(gateway, `Bearer ${good}`, '2001:db8::7')).status).toBe(200)
    later = 120_000
    expect((await ask(gateway, `Bearer ${good}`, '2001:db8::8')).status).toBe(401)
    expect(await linesOf('2001:db8:0:0::/64')).toEqual([{ SESSION_EXPIRED: 1 }])
  })
})

describe('a token of another issuer’s form, over HTTP', () => {
  const CLAIMS = { sub: 'u', aud: AUDIENCE, tenant: 'riverside', roles: ['PHYSICIAN'], amr: ['mfa'], sid: 'session-of-u' }
  const VIEWER = '{ viewer { roles purpose mayClaim } }'
  let issuer: Awaited<ReturnType<typeof startIssuer>>
  beforeAll(async () => {
    issuer = await startIssuer('ES256')
  })
  afterAll(async () => {
    await issuer.stop()
  })

  const believing = async (map: TokenParts = {}) => {
    const env = { PHI_ISSUER: ISSUER, PHI_AUDIENCE: AUDIENCE, PHI_JWKS_URI: issuer.jwksUri, PHI_CLAIMS: JSON.stringify(map) }
    const { gateway } = await clinic.another({ env })
    return async (claims: TokenParts, query = VIEWER, headers: Record<string, string> = {}) => {
      const authorization = `Bearer ${await issuer.sign(claims, { typ: 'at+jwt' })}`
      const all = { 'content-type': 'application/json', authorization, ...headers }
      return read(await gateway.handle({ method: 'POST', headers: all, body: JSON.stringify({ query }) }))
    }
  }

  it('people with many groups, long groups, an empty group, one role or a long FHIR identity are let in', async () => {
    const [plain, mapped] = [await believing(), await believing({ roles: 'groups', roleNames: { 'phi-physicians': 'PHYSICIAN' } })]
    const groups = (...more: string[]) => ({ ...CLAIMS, roles: undefined, groups: ['phi-physicians', ...more] })
    const answers = [
      await mapped(groups(...Array.from({ length: 64 }, (_, n) => `list-${n}`))),
      await mapped(groups(`CN=${'x'.repeat(128)},DC=clinic,DC=example`)),
      await mapped(groups('')),
      await mapped({ ...groups(), groups: 'phi-physicians' }),
      await plain({ ...CLAIMS, roles: 'PHYSICIAN', amr: 'mfa' }),
      await plain({ ...CLAIMS, fhirUser: `https://fhir.clinic.example/interconnect/api/FHIR/R4/Practitioner/e${'5'.repeat(63)}` }),
    ]
    for (const { status, data } of answers) {
      expect(status).toBe(200)
      expect(at(data, 'viewer', 'roles')).toEqual(['PHYSICIAN'])
    }
    const nested = await believing({ roles: 'realm_access.roles' })
    const { data } = await nested({ ...CLAIMS, roles: ['ADMIN'], realm_access: { roles: ['offline_access', 'PHYSICIAN'] } })
    expect(at(data, 'viewer', 'roles')).toEqual(['PHYSICIAN'])
  })

  it('P3: a FHIR identity below a base of the tenant opens the person’s patients, one of another server opens nothing', async () => {
    const fhirBases = { riverside: ['https://fhir.riverside.example/r4'], lakeside: ['https://fhir.lakeside.example/r4'] }
    const [ask, without] = [await believing({ fhirBases }), await believing()]
    const PATIENTS = '{ patients { edges { node { familyName } } } }'
    const namesOf = async (asked: typeof ask, fhirUser: string) =>
      nodesAt((await asked({ ...CLAIMS, fhirUser }, PATIENTS)).data, 'patients').map((node) => at(node, 'familyName'))
    const own = await namesOf(ask, 'Practitioner/physician')
    expect(own).toEqual([expect.any(String)])
    for (const url of ['/r4/Practitioner/physician', '/r4/Practitioner/physician/_history/2'])
      expect(await namesOf(ask, `https://fhir.riverside.example${url}`)).toEqual(own)
    for (const base of ['https://fhir.lakeside.example/r4', 'https://elsewhere.example/r4', 'http://fhir.riverside.example/r4'])
      expect(await namesOf(ask, `${base}/Practitioner/physician`)).toEqual([])
    expect(await namesOf(without, 'https://fhir.riverside.example/r4/Practitioner/physician')).toEqual([])
  })

  it('P3: the purpose of a token is held, and TREAT leaves emergencies open', async () => {
    const ask = await believing()
    const asked = async (inToken: string | undefined, inHeader: string | undefined) => {
      const headers = inHeader === undefined ? {} : { 'x-purpose-of-use': inHeader }
      const { status, data, errors } = await ask({ ...CLAIMS, purpose_of_use: inToken }, VIEWER, headers)
      return status === 200 ? at(data, 'viewer', 'purpose') : `${status} ${String(errors[0]?.extensions['code'])}`
    }
    expect(await asked('TREAT', undefined)).toBe('TREAT')
    expect(await asked('TREAT', 'ETREAT')).toBe('ETREAT')
    expect(await asked('TREAT', 'BTG')).toBe('BTG')
    expect(await asked('ETREAT', 'ETREAT')).toBe('ETREAT')
    for (const [inToken, inHeader] of [
      ['ETREAT', 'TREAT'],
      ['ETREAT', 'BTG'],
      ['BTG', 'ETREAT'],
      ['TREAT', 'HPAYMT'],
      ['HPAYMT', undefined],
      ['HPAYMT', 'TREAT'],
    ])
      expect(await asked(inToken, inHeader)).toBe('400 BAD_REQUEST')
    expect(await asked(undefined, 'BTG')).toBe('BTG')
    const { data } = await ask({ ...CLAIMS, purpose_of_use: 'ETREAT' })
    expect(at(data, 'viewer', 'mayClaim')).toEqual(['ETREAT'])
  })

  it('P3: half of a surrogate pair in a claim is refused at the edge, with no audit record', async () => {
    const ask = await believing()
    for (const claim of ['sub', 'tenant', 'organization', 'client_id', 'sid', 'fhirUser', 'purpose_of_use', 'roles']) {
      const { status, errors } = await ask({ ...CLAIMS, [claim]: 'a\ud800' }, '{ patients { edges { node { familyName } } } }')
      expect([status, errors[0]?.extensions['code']], claim).toEqual([401, 'UNAUTHENTICATED'])
    }
  })

  it('P3: a key that the issuer serves for another use verifies no token', async () => {
    const [key] = issuer.state.keys
    for (const change of [{ use: 'enc' }, { use: undefined, key_ops: ['encrypt'] }, { key_ops: ['sign'] }]) {
      issuer.state.keys = [{ ...key, ...change }]
      expect((await (await believing())(CLAIMS)).status).toBe(401)
    }
    issuer.state.keys = [{ ...key, key_ops: ['verify'] }]
    expect((await (await believing())(CLAIMS)).status).toBe(200)
  })
})
