import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { orLastResort } from '../../../functions/last-resort.ts'
import { corsFrom } from '../../../gateway/cors-setting.ts'
import { answerPreflight, corsHeaders, corsPolicy, withCors } from '../../../gateway/http/cors.ts'
import { isLocal } from '../../../gateway/model/stage.ts'

const APP = 'https://app.example'
const policy = corsPolicy({ origins: [APP, 'https://staff.example:8443'] })
const ALLOW_ORIGIN = 'access-control-allow-origin'

describe('PHI_CORS', () => {
  it.each([
    '*',
    'null',
    '',
    'app.example',
    'https://',
    'https://*',
    'https://*.example',
    'https://app.example/',
    'https://app.example/page',
    'https://app.example?x',
    'https://user@app.example',
    'https://App.example',
    'HTTPS://app.example',
    'https://app.example:443',
    ' https://app.example',
    'https://app.example,https://other.example',
    'http://app.example',
    'http://127.0.0.1.evil.example',
    'http://localhost:80',
    'file://',
    'chrome-extension://abc',
  ])('refuses %j as an origin at the start, and says how to write one', (origin) => {
    const settings = JSON.stringify({ origins: [APP, origin] })
    expect(() => corsFrom({ PHI_STAGE: 'local', PHI_CORS: settings })).toThrow(/"PHI_CORS",\s+"origins",\s+1[^]*Write each origin/)
  })

  it.each(['{', '{"origin":["https://app.example"]}', '{"headers":["*"]}', '{"headers":["a b"]}', '{"maxAgeSeconds":-1}'])(
    'refuses %s',
    (settings) => {
      expect(() => corsFrom({ PHI_CORS: settings })).toThrow('PHI_CORS')
    },
  )

  it('adds headers and sets the time for which a browser keeps the answer', () => {
    const custom = corsFrom({ PHI_CORS: JSON.stringify({ origins: [APP], headers: ['X-Proxy'], maxAgeSeconds: 60 }) })
    const { headers } = answerPreflight({ headers: { origin: APP } }, ['POST'], custom)
    expect(headers).toMatchObject({
      'access-control-allow-headers': expect.stringMatching(
        /^authorization, content-type, x-purpose-of-use, .*, x-proxy$/,
      ) as string,
      'access-control-max-age': '60',
    })
  })

  it.each([undefined, '', 'Local', 'local ', 'localhost', 'test', 'dev', 'staging', 'prod'])(
    'allows no origin by default in the stage %j',
    (stage) => {
      expect(isLocal(stage)).toBe(false)
      expect(corsFrom({ PHI_STAGE: stage })).toBeUndefined()
      expect(corsFrom({ PHI_STAGE: stage, PHI_CORS: '{"headers":["x-proxy"]}' })).toBeUndefined()
    },
  )

  it('allows each port of this machine by default in the stage local, and nothing that only looks like it', () => {
    const local = corsFrom({ PHI_STAGE: 'local' })
    const hosts = ['http://localhost', 'http://127.0.0.1', 'http://[::1]']
    const own = hosts.flatMap((host) => [host, `${host}:3000`, `${host}:65535`])
    expect(own.filter((origin) => local?.allowsOrigin(origin) !== true)).toEqual([])
    const others = [
      ...[
        'null',
        '',
        '*',
        'localhost',
        'https://localhost',
        'https://127.0.0.1:3000',
        'ftp://localhost',
        'http://127.0.0.2',
        'http://[::2]',
      ],
      ...hosts.flatMap((host) => [
        `${host}.evil.example`,
        `${host}:3000.evil.example`,
        `${host}/`,
        `${host}:99999`,
        `${host}:3000/x`,
      ]),
      ...[
        'http://localhost@evil.example',
        'http://evil.example#localhost',
        'http://evil-localhost',
        'http://0.0.0.0',
        'http://127.1',
        APP,
      ],
    ]
    expect(others.filter((origin) => local?.allowsOrigin(origin) !== false)).toEqual([])
    expect(corsFrom({ PHI_STAGE: 'local', PHI_CORS: '{"origins":[]}' })).toBeUndefined()
    expect(corsFrom({ PHI_STAGE: 'local', PHI_CORS: `{"origins":["${APP}"]}` })?.allowsOrigin('http://localhost')).toBe(false)
  })
})

describe('an origin', () => {
  const near = fc.oneof(
    fc.webUrl(),
    fc.string(),
    fc.constantFrom('null', '*', 'https://app.example.', 'http://app.example', 'https://app.example:8443', 'https://staff.example'),
    fc.tuple(fc.string({ minLength: 1 }), fc.boolean()).map(([more, before]) => (before ? more + APP : APP + more)),
    fc.integer({ min: 0, max: APP.length - 1 }).map((length) => APP.slice(0, length)),
  )

  it('is compared exactly: any other one gets only Vary', () => {
    fc.assert(
      fc.property(near, (origin) => {
        fc.pre(![APP, 'https://staff.example:8443'].includes(origin))
        expect(corsHeaders({ origin }, policy)).toEqual({ vary: 'Origin' })
      }),
    )
    expect(corsHeaders({}, policy)).toEqual({ vary: 'Origin' })
    expect(corsHeaders({ origin: APP }, policy)[ALLOW_ORIGIN]).toBe(APP)
  })

  it('that may not call gets the bytes of a deployment without CORS from OPTIONS, besides Vary', () => {
    const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }
    const without = answerPreflight({ headers: { origin: APP, ...preflight } }, ['GET', 'POST'], undefined)
    expect(without).toEqual({ status: 204, headers: { allow: 'GET, POST, OPTIONS', 'cache-control': 'no-store' }, body: '' })
    fc.assert(
      fc.property(fc.option(near, { nil: undefined }), (origin) => {
        fc.pre(origin === undefined || policy?.allowsOrigin(origin) === false)
        const answer = answerPreflight({ headers: { origin, ...preflight } }, ['GET', 'POST'], policy)
        expect(answer).toEqual({ ...without, headers: { ...without.headers, vary: 'Origin' } })
      }),
    )
  })
})

describe('the headers of a response', () => {
  it('never permit cookies or a wildcard, at any status', () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.constantFrom(APP, '*', 'null', undefined), (status, origin) => {
        const { headers } = withCors({ status, headers: { 'cache-control': 'no-store' }, body: '' }, { origin }, policy)
        expect(headers[ALLOW_ORIGIN]).toBe(origin === APP ? APP : undefined)
        expect(headers).toMatchObject({ 'cache-control': 'no-store', vary: 'Origin' })
        const preflight = answerPreflight({ headers: { origin } }, ['POST'], policy).headers
        expect(Object.keys({ ...headers, ...preflight })).not.toContain('access-control-allow-credentials')
        expect(Object.values({ ...headers, ...preflight }).join()).not.toContain('*')
      }),
    )
  })

  it('let a page read what a client needs beyond the body', () => {
    const exposed = corsHeaders({ origin: APP }, policy)['access-control-expose-headers']?.split(', ')
    expect(exposed).toEqual(expect.arrayContaining(['www-authenticate', 'retry-after', 'apigw-requestid']))
  })

  it('let a page set each header that the gateway reads', () => {
    const root = new URL('../../../gateway/', import.meta.url)
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      // the store reads headers of services
      (name) => name.endsWith('.ts') && !name.startsWith('store/'),
    )
    const read = files.flatMap((name) => [
      ...readFileSync(new URL(name, root), 'utf8').matchAll(
        /\bheaders\['([a-z-]+)'\]|'(content-type|content-encoding)': \w+ *[,}]/g,
      ),
    ])
    // set by the browser itself, or safe in every request, or of a response, or not sent by a page
    const other = new Set(['user-agent', 'accept', 'origin', 'accept-encoding', 'content-encoding', 'vary'])
    const names = new Set(read.map(([, name, member]) => name ?? member ?? '').filter((name) => !other.has(name)))
    expect(names).toContain('x-purpose-of-use')
    expect([...names].filter((name) => policy?.requestHeaders.includes(name) !== true)).toEqual([])
  })

  it.each([
    ['an allowed origin', { headers: { origin: APP } }, APP],
    ['another origin', { headers: { origin: 'https://evil.example' } }, undefined],
    ['an event without headers', {}, undefined],
    ['an event of another form', { headers: { origin: [APP] } }, undefined],
    ['no event', undefined, undefined],
  ])('of the last resort are those of any response: %s', async (_what, event, expected) => {
    const { headers = {} } = await orLastResort(() => Promise.reject(new Error()), event, { events: () => undefined, cors: policy })
    expect(headers['vary']).toBe('Origin')
    expect(headers[ALLOW_ORIGIN]).toBe(expected)
  })
})
