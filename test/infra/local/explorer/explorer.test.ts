import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Handler, type HttpApi, startHttpApi } from '../../../../infra/local/api-gateway.ts'
import { asksForPage, ExplorerRefused, explorerRoutes } from '../../../../infra/local/explorer/explorer.ts'
import type { ExplorerConfig } from '../../../../infra/local/explorer/explorer-config.ts'
import { menuOf } from '../../../../infra/local/explorer/menu.ts'
import { PAGE_POLICY } from '../../../../infra/local/explorer/responses.ts'
import { type IdentityProvider, startIdentityProvider } from '../../../../infra/local/identity-provider.ts'
import { firstOperationOf } from '../../../../infra/local/tour.ts'
import { DEMO_USERS } from '../../../../infra/local/users.ts'
import { clinic } from '../../../gateway/decide/clinic-policy.ts'

const users = menuOf(DEMO_USERS, clinic.policy, firstOperationOf)
const PAGE = '<!doctype html><title>the page</title>'
const NAVIGATION = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }

let folder: string
let idp: IdentityProvider
let api: HttpApi

const gateway: Handler = ({ rawQueryString }) => Promise.resolve({ statusCode: 200, body: `the gateway ${rawQueryString}` })
const options = (stage: string | undefined) => ({
  stage,
  users,
  compiled: clinic,
  tokens: idp,
  prebuilt: pathToFileURL(`${folder}/`),
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-explorer-'))
  writeFileSync(join(folder, 'index.html'), PAGE)
  writeFileSync(join(folder, 'page-ABCD1234.js'), 'let page')
  writeFileSync(join(folder, 'notes.txt'), 'not for the browser')
  idp = await startIdentityProvider({ port: 0, users: DEMO_USERS })
  api = await startHttpApi({ port: 0, routes: explorerRoutes(gateway, options('local')) })
})
afterAll(async () => {
  await api.stop()
  await idp.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Received {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

/** Sends the request by node:http, which leaves the path and the headers unchanged. */
function send(method: string, path: string, headers: Record<string, string | string[]> = {}, body = ''): Promise<Received> {
  const { hostname, port } = new URL(api.url)
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const text = ({ body }: Received): string => body.toString()
const json = (answer: Received): unknown => JSON.parse(text(answer))

describe('GET /graphql', () => {
  it('answers the navigation of a browser with the page, and nothing stores it', async () => {
    const { status, headers, body } = await send('GET', '/graphql', NAVIGATION)
    expect([status, body.toString()]).toEqual([200, PAGE])
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': PAGE_POLICY,
    })
  })

  it.each(['documentId=abc', 'query={viewer{tenant}}', 'extensions={}', 'documentId=', 'a=1&documentId=abc'])(
    'passes an operation on to the gateway, also for a browser: %s',
    async (query) => {
      const path = `/graphql?${encodeURI(query)}`
      expect(text(await send('GET', path, NAVIGATION))).toBe(`the gateway ${encodeURI(query)}`)
    },
  )

  it.each([undefined, '*/*', 'application/json', 'application/graphql-response+json', 'text/htmlx', 'x-text/html'])(
    'passes a request that does not accept HTML on to the gateway: accept %s',
    async (accept) => {
      expect(text(await send('GET', '/graphql', accept === undefined ? {} : { accept }))).toBe('the gateway ')
    },
  )

  it('knows HTML among other types', () => {
    for (const accept of ['text/html', 'TEXT/HTML', 'application/json, text/html;q=0.5', 'text/html ;level=1'])
      expect(asksForPage({ headers: { accept } }), accept).toBe(true)
  })
})

describe('the content security policy', () => {
  const directives = new Map(PAGE_POLICY.split('; ').map((line) => [line.split(' ', 1)[0], line.split(' ').slice(1)]))

  it('allows no other host, no inline script and no frame', () => {
    expect(directives.get('default-src')).toEqual(["'none'"])
    expect(directives.get('script-src')).toEqual(["'self'"])
    expect(directives.get('connect-src')).toEqual(["'self'"])
    expect(directives.get('worker-src')).toEqual(["'self'"])
    expect(directives.get('frame-ancestors')).toEqual(["'none'"])
    expect(
      [...directives.values()].flat().filter((source) => !["'none'", "'self'", 'data:', "'unsafe-inline'"].includes(source)),
    ).toEqual([])
  })
})

describe('the files of the page', () => {
  it('are immutable and compressed', async () => {
    const { status, headers, body } = await send('GET', '/explorer/page-ABCD1234.js')
    expect([status, gunzipSync(body).toString()]).toEqual([200, 'let page'])
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    })
  })

  it.each([
    '/explorer/notes.txt',
    '/explorer/index.html',
    '/explorer/../notes.txt',
    '/explorer/..%2f..%2fetc%2fpasswd',
    '/explorer/constructor',
    '/explorer/{file}',
    '/explorer/a/page-ABCD1234.js',
    '/explorer/',
  ])('are the only files: %s is not found', async (path) => {
    expect((await send('GET', path)).status).toBe(404)
  })
})

describe('GET /explorer/config.json', () => {
  it('lists the users with the purposes that the policy lets their roles claim', async () => {
    const config = json(await send('GET', '/explorer/config.json')) as ExplorerConfig
    const { roles } = clinic.policy
    expect(config.users.map(({ name }) => name)).toEqual(DEMO_USERS.map(({ name }) => name))
    for (const { role, purposes } of config.users)
      expect(purposes, role).toEqual([...roles.values()].find((one) => one.role === role)?.mayClaim)
    expect(config.users.find(({ role }) => role === 'AUDITOR')?.endpoint).toBe('/audit/graphql')
    expect(config.patientType).toBe('Patient')
    expect(config.rules['Patient.ssn#1']).toEqual({
      at: expect.stringMatching(/patient\.graphql:\d+$/) as string,
      sdl: expect.stringContaining('@minimumNecessary') as string,
    })
  })

  it('has no token and no secret', async () => {
    const body = text(await send('GET', '/explorer/config.json'))
    for (const secret of Object.values(idp.clientSecrets)) expect(body).not.toContain(secret)
    expect(body).not.toMatch(/eyJ[\w-]+\./)
  })
})

describe('POST /explorer/token', () => {
  const own = () => ({
    host: new URL(api.url).host,
    origin: api.url,
    'sec-fetch-site': 'same-origin',
    'content-type': 'application/json',
  })
  const wanted = JSON.stringify({ user: 'billing', purpose: 'HPAYMT' })
  const post = (headers: Record<string, string | string[]>, body = wanted) => send('POST', '/explorer/token', headers, body)

  it('gives the page of this origin a token for a user and a purpose', async () => {
    const answer = await post(own())
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store'])
    expect(decodeJwt((json(answer) as { token: string }).token)).toMatchObject({ sub: 'billing', purpose_of_use: 'HPAYMT' })
  })

  const attacks: Record<string, () => Record<string, string | string[]>> = {
    'a page of another site': () => ({ ...own(), origin: 'https://attacker.example' }),
    'a page of another port of this machine': () => ({ ...own(), origin: 'http://127.0.0.1:1' }),
    'a page of another name of this machine': () => ({ ...own(), origin: api.url.replace('127.0.0.1', 'localhost') }),
    'a sandboxed frame': () => ({ ...own(), origin: 'null' }),
    'a rebound name': () => ({ ...own(), host: 'attacker.example', origin: 'http://attacker.example' }),
    'two origins': () => ({ ...own(), origin: [api.url, 'https://attacker.example'] }),
    'a same-site page': () => ({ ...own(), 'sec-fetch-site': 'same-site' }),
    'a cross-site page': () => ({ ...own(), 'sec-fetch-site': 'cross-site' }),
    'a form': () => ({ ...own(), 'content-type': 'text/plain' }),
    'a client without an origin': () => Object.fromEntries(Object.entries(own()).filter(([name]) => name !== 'origin')),
  }
  it.each(Object.entries(attacks))('refuses %s', async (_name, headers) => {
    const answer = await post(headers())
    expect(answer.status).toBe(403)
    expect(text(answer)).not.toContain('eyJ')
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  it.each([
    ['an unknown user', { user: 'root' }, 404],
    ['a machine client', { user: 'acme' }, 404],
    ['a name of Object.prototype', { user: 'constructor' }, 404],
    ['a purpose that the role may not claim', { user: 'billing', purpose: 'TREAT' }, 400],
    ['a further property', { user: 'billing', client: 'portal' }, 400],
    ['a list of users', { user: ['billing'] }, 400],
  ])('refuses %s', async (_name, body, status) => {
    const answer = await post(own(), JSON.stringify(body))
    expect(answer.status).toBe(status)
    expect(text(answer)).not.toContain('eyJ')
  })

  it.each(['', 'null', '{', '"billing"'])('refuses a body that is not the request: %j', async (body) => {
    expect((await post(own(), body)).status).toBe(400)
  })

  it('gives no token of a machine client, even if the menu does not disable its user', async () => {
    const enabled = users.map(({ disabled: _disabled, ...user }) => user)
    const other = await startHttpApi({ port: 0, routes: explorerRoutes(gateway, { ...options('local'), users: enabled }) })
    try {
      const headers = { origin: other.url, 'content-type': 'application/json' }
      const answer = await fetch(`${other.url}/explorer/token`, { method: 'POST', headers, body: JSON.stringify({ user: 'acme' }) })
      expect(answer.status).toBe(503)
      expect(await answer.text()).not.toContain('eyJ')
    } finally {
      await other.stop()
    }
  })
})

describe('the stage', () => {
  it.each([undefined, '', 'dev', 'test', 'staging', 'production', 'Local', 'local '])('%j has no explorer', (stage) => {
    expect(() => explorerRoutes(gateway, options(stage))).toThrow(ExplorerRefused)
  })
})
