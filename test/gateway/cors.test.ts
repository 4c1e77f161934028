import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Relationship } from '../../directives/policy.ts'
import type { GatewayParts } from '../../gateway/gateway-parts.ts'
import { corsPolicy } from '../../gateway/http/cors.ts'
import {
  AuditUnavailable,
  MfaRequired,
  PhiBudgetExceeded,
  SessionsUnavailable,
  Unauthenticated,
} from '../../gateway/model/failures.ts'
import { MemoryOperations } from '../harness/operation-registry.ts'
import { NOT_PHI, PHI, sdl } from '../directives/clinic-fixture.ts'
import { callerWith } from './decide/clinic-policy.ts'
import { type GatewayUnderTest, gatewayOver } from './stand-ins.ts'

const APP = 'https://app.example'
const cors = corsPolicy({ origins: [APP] })
const SCHEMA = sdl(`id: ID! ${NOT_PHI}\nname: String ${PHI}`, `extend type Query { me: Me }\ntype Me { user: String! ${NOT_PHI} }`)
const nobody = { periods: () => Promise.resolve(new Map()), panel: () => Promise.resolve([]) }
const served: Partial<GatewayParts> = {
  relationships: new Map([['CARE_TEAM' as Relationship, nobody]]),
  resolvers: { Query: { person: () => null, me: () => ({ user: 'user-1' }) } },
}

let identified: number
let refused: Error | undefined
let under: GatewayUnderTest
beforeAll(async () => {
  const caller = callerWith(['PHYSICIAN'], 'TREAT')
  const callerOf = () => {
    identified++
    return refused === undefined ? Promise.resolve(caller) : Promise.reject(refused)
  }
  under = await gatewayOver(SCHEMA, { ...served, ...(cors && { cors }), identity: () => ({ callerOf }) })
})
beforeEach(() => {
  identified = under.events.length = 0
  refused = undefined
})

const JSON_BODY = { 'content-type': 'application/json' }
const BODY = JSON.stringify({ query: '{ me { user } }' })

describe('OPTIONS', () => {
  it.each([
    ['of an allowed origin', APP, APP],
    ['of another origin', 'https://evil.example', undefined],
    ['without an origin', undefined, undefined],
  ])('%s reads no token, and leaves no event and no record', async (_what, origin, allowed) => {
    const answer = await under.gateway.handle({
      method: 'OPTIONS',
      headers: { ...JSON_BODY, origin, authorization: 'Bearer token', 'access-control-request-method': 'POST' },
      body: BODY,
      queryString: 'documentId=x',
    })
    expect([answer.status, answer.body, answer.headers['allow']]).toEqual([204, '', 'POST, OPTIONS'])
    expect(answer.headers['access-control-allow-origin']).toBe(allowed)
    expect(answer.headers['access-control-allow-methods']).toBe(allowed && 'POST, OPTIONS')
    expect([identified, under.events, under.log.records]).toEqual([0, [], []])
  })

  it('names GET where registered queries are served', async () => {
    const registry = new MemoryOperations()
    const operations = { registry, automatic: registry, modes: new Map(), register: new Set<string>() }
    const { gateway } = await gatewayOver(SCHEMA, { ...served, operations })
    expect((await gateway.handle({ method: 'OPTIONS', headers: {}, body: '' })).headers['allow']).toBe('GET, POST, OPTIONS')
  })
})

describe('a page of an allowed origin can read a response of each status', () => {
  it.each<[number, Error | undefined, { method?: string; headers?: Record<string, string>; body?: string }]>([
    [200, undefined, {}],
    [400, undefined, { body: '{' }],
    [401, new Unauthenticated(), {}],
    [401, new MfaRequired(), {}],
    [405, undefined, { method: 'PUT' }],
    [406, undefined, { headers: { accept: 'text/html' } }],
    [415, undefined, { headers: { 'content-type': 'text/plain' } }],
    [429, new PhiBudgetExceeded('DAY'), {}],
    [500, new TypeError(), {}],
    [503, new SessionsUnavailable(), {}],
    [503, new AuditUnavailable(), {}],
  ])('%i', async (status, error, { method = 'POST', headers = {}, body = BODY }) => {
    refused = error
    const ask = (origin: string) => under.gateway.handle({ method, headers: { ...JSON_BODY, ...headers, origin }, body })
    const allowed = await ask(APP)
    expect(allowed.status).toBe(status)
    expect(allowed.headers).toMatchObject({ vary: 'Origin', 'access-control-allow-origin': APP })
    const other = await ask('https://evil.example')
    expect(other.status).toBe(status)
    expect(other.headers['vary']).toBe('Origin')
    expect(Object.keys(other.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  it('and no response has a header of CORS if the deployment has no rules', async () => {
    const { gateway } = await gatewayOver(SCHEMA, served)
    const { headers } = await gateway.handle({ method: 'POST', headers: { ...JSON_BODY, origin: APP }, body: BODY })
    expect(Object.keys(headers).toSorted()).toEqual(['cache-control', 'content-type'])
  })
})
