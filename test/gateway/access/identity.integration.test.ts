import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { fetchToken } from '../../../infra/local/token.ts'
import type { CredentialFault } from '../../../gateway/model/credential-fault.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { RIVERSIDE } from '../asking.ts'

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
