import { afterAll, beforeAll, expect, it } from 'vitest'
import { fetchToken } from '../../../infra/local/token.ts'
import { type RunningClinic, runClinic } from '../../running-clinic.ts'

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
}, 60_000)
afterAll(async () => {
  await clinic.stop()
}, 60_000)

it('every fault of a token is answered in the same bytes, but for the request id', async () => {
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
