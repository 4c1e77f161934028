import { createServer, type Server } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fromEvent, toResult } from '../../../../gateway/http/lambda-event.ts'
import type { HttpRequest, HttpResponse } from '../../../../gateway/http/messages.ts'
import { openAuditApi } from '../../../../gateway/open-audit-api.ts'
import { type Handler, type HttpApi, startHttpApi } from '../../../../infra/local/api-gateway.ts'
import { fetchToken } from '../../../../infra/local/token.ts'
import { auditTypeDefs, clinicLock, clinicTypeDefs } from '../../../../schema/clinic.ts'
import { startBrowser } from '../../../harness/browser.ts'
import { type RunningClinic, runClinic } from '../../../harness/running-clinic.ts'
import { listen } from '../../../../infra/local/ports.ts'

// Pages of two origins call the gateway from a browser. Only the first origin is in PHI_CORS. Ports make the origins differ.

let clinic: RunningClinic
let browser: Browser
let servers: Server[]
let allowed: Page
let other: Page
let apis: HttpApi[]
let url: string
let byDefault: string
let withoutAudit: string
let token: string
/** The methods of the requests that reached a function. */
let arrived: string[] = []

type Handle = (request: HttpRequest) => Promise<HttpResponse>

const functionOf =
  (handle: Handle): Handler =>
  async (event, context) => {
    const request = fromEvent(event, context, Date.now())
    arrived.push(request.method)
    return await toResult(await handle(request), request)
  }

const routesOf = (handle: Handle) => ({
  'POST /graphql': functionOf(handle),
  'GET /graphql': functionOf(handle),
  'OPTIONS /graphql': functionOf(handle),
})

async function servePage(): Promise<string> {
  const server = createServer((_request, response) => {
    response
      .setHeader('content-type', 'text/html')
      .end('<!doctype html><title>A page</title><iframe sandbox="allow-scripts" srcdoc="<!doctype html>"></iframe>')
  })
  servers.push(server)
  const port = await listen(server, 0)
  return `http://127.0.0.1:${port}`
}

beforeAll(async () => {
  servers = []
  const [origin, otherOrigin] = [await servePage(), await servePage()]
  clinic = await runClinic({ riverside: 25, lakeside: 1 })
  const env = { PHI_CORS: JSON.stringify({ origins: [origin] }) }
  const { gateway } = await clinic.another({ env })
  const { gateway: local } = await clinic.another({ env: { PHI_STAGE: 'local' } })
  const { gateway: deaf } = await clinic.another({ env: { ...env, PHI_TABLE_AUDIT: 'gone' } })
  const schemas = { audit: auditTypeDefs(), clinical: clinicTypeDefs(), lock: clinicLock() }
  const audit = openAuditApi({ ...clinic.stack.env, ...env }, schemas, { events: () => undefined })
  const auditFunction = functionOf((request) => audit.handle(request))
  // a proxy or a service in front of a function can add this header
  const throttled: Handle = async (request) => {
    const response = await deaf.handle(request)
    return { ...response, headers: { ...response.headers, 'retry-after': '7' } }
  }
  apis = await Promise.all(
    [
      {
        ...routesOf((request) => gateway.handle(request)),
        'POST /audit/graphql': auditFunction,
        'OPTIONS /audit/graphql': auditFunction,
      },
      routesOf((request) => local.handle(request)),
      routesOf(throttled),
    ].map((routes) => startHttpApi({ port: 0, routes })),
  )
  ;[url = '', byDefault = '', withoutAudit = ''] = apis.map((api) => `${api.url}/graphql`)
  token = await fetchToken(clinic.stack, 'physician')
  browser = await startBrowser()
  ;[allowed, other] = [await browser.newPage(), await browser.newPage()]
  await allowed.goto(origin)
  await other.goto(otherOrigin)
})
afterAll(async () => {
  await browser.close()
  for (const server of servers) server.close()
  for (const api of apis) await api.stop()
  await clinic.stop()
})
beforeEach(() => {
  arrived = []
})

interface Asked {
  readonly to?: string
  readonly bearer?: string
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends a query from a page. Returns the response as a script of the page can read it, or the name of the error. */
async function ask(page: Page, { to = url, bearer = token, query = '{ viewer { purpose } }', headers = {} }: Asked = {}) {
  const sent = {
    to,
    init: {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}`, 'x-purpose-of-use': 'TREAT', ...headers },
      body: JSON.stringify({ query }),
    },
  }
  return await page.evaluate(async ({ to, init }) => {
    try {
      const response = await fetch(to, init)
      const text = await response.text()
      return { status: response.status, text, headers: Object.fromEntries(response.headers) }
    } catch (error) {
      return (error as Error).name
    }
  }, sent)
}

const PANEL = '{ patients(first: 20) { edges { node { id familyName givenName birthDate } } } }'

describe('a page of an allowed origin', () => {
  it('sends a purpose of use, and asks for permission once', async () => {
    for (const purpose of ['TREAT', 'ETREAT']) {
      const answer = await ask(allowed, { headers: { 'x-purpose-of-use': purpose } })
      expect(answer).toMatchObject({ status: 200, text: expect.stringContaining(`"purpose":"${purpose}"`) as string })
    }
    expect(arrived).toEqual(['OPTIONS', 'POST', 'POST'])
  })

  it('reads a compressed answer', async () => {
    const [response, answer] = await Promise.all([allowed.waitForResponse(url), ask(allowed, { query: PANEL })])
    expect(response.headers()).toMatchObject({
      'content-encoding': expect.stringMatching(/^(?:br|gzip)$/) as string,
      vary: 'Origin, Accept-Encoding',
    })
    if (typeof answer === 'string') throw new Error(answer)
    const { data } = JSON.parse(answer.text) as { data: { patients: { edges: unknown[] } } }
    expect(data.patients.edges).toHaveLength(20)
  })

  it('reads a refusal, its code, and how to authenticate', async () => {
    expect(await ask(allowed, { bearer: 'none' })).toMatchObject({
      status: 401,
      text: expect.stringContaining('"code":"UNAUTHENTICATED"') as string,
      headers: { 'www-authenticate': 'Bearer' },
    })
  })

  it('reads after which time it can try again', async () => {
    expect(await ask(allowed, { to: withoutAudit, query: PANEL })).toMatchObject({
      status: 503,
      text: expect.stringContaining('"code":"AUDIT_UNAVAILABLE"') as string,
      headers: { 'retry-after': '7' },
    })
  })

  it('asks the auditor’s API', async () => {
    const auditor = {
      to: url.replace('/graphql', '/audit/graphql'),
      query: '{ fieldAccesses(filter: { userId: "auditor" }) { examined } }',
    }
    const bearer = await fetchToken(clinic.stack, 'auditor')
    const headers = { 'x-purpose-of-use': 'HOPERAT' }
    expect(await ask(allowed, { ...auditor, bearer, headers })).toMatchObject({
      status: 200,
      text: expect.stringContaining('"examined":') as string,
    })
    expect(arrived).toEqual(['OPTIONS', 'POST'])
    expect(await ask(other, { ...auditor, bearer, headers })).toBe('TypeError')
    expect(arrived).toEqual(['OPTIONS', 'POST', 'OPTIONS'])
  })

  it('sends no header that the gateway does not read', async () => {
    expect(await ask(allowed, { headers: { 'x-other': '1' } })).toBe('TypeError')
    expect(arrived).toEqual(['OPTIONS'])
  })
})

describe('a page of another origin', () => {
  it('sends nothing but the preflight, and reads nothing', async () => {
    expect(await ask(other, { query: PANEL })).toBe('TypeError')
    expect(arrived).toEqual(['OPTIONS'])
  })

  it('reads no answer to a request that needs no preflight, and the gateway refuses that request', async () => {
    const outcome = await other.evaluate(async (to) => {
      const response = await fetch(to, { method: 'POST', mode: 'no-cors', body: '{"query":"{ viewer { purpose } }"}' })
      const read = await fetch(to, { method: 'POST', body: '{"query":"{ viewer { purpose } }"}' }).then(
        () => 'read',
        () => 'refused',
      )
      return { type: response.type, status: response.status, text: await response.text(), read }
    }, url)
    expect(outcome).toEqual({ type: 'opaque', status: 0, text: '', read: 'refused' })
    expect(arrived).toEqual(['POST', 'POST'])
  })

  it('without an origin of its own reads nothing: a sandboxed frame of an allowed page', async () => {
    const frame = allowed.frames().find((one) => one.parentFrame() !== null)
    for (const to of [url, byDefault]) {
      const outcome = await frame?.evaluate(
        async ([to, token]) => {
          const headers = { 'content-type': 'application/json', authorization: `Bearer ${token ?? ''}` }
          try {
            await fetch(to ?? '', { method: 'POST', headers, body: '{}' })
            return 'read'
          } catch (error) {
            return `${(globalThis as { origin?: string }).origin ?? ''} ${(error as Error).name}`
          }
        },
        [to, token],
      )
      expect(outcome).toBe('null TypeError')
    }
    expect(arrived).toEqual(['OPTIONS', 'OPTIONS'])
  })
})

it('by default, each page of this machine reads from a stack in the stage local', async () => {
  for (const page of [allowed, other]) expect(await ask(page, { to: byDefault })).toMatchObject({ status: 200 })
})
