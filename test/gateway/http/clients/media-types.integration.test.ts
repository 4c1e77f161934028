import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServedClinic, serveClinic } from './clinic-over-http.ts'

let served: ServedClinic
let authorization: string

beforeAll(async () => {
  served = await serveClinic({ riverside: 1, lakeside: 1 })
  authorization = `Bearer ${await served.token('physician')}`
})
afterAll(() => served.stop())

const QUERY = JSON.stringify({ query: '{ viewer { tenant } }' })
const PHI = JSON.stringify({ query: '{ patients { edges { node { familyName } } } }' })

const post = (headers: Record<string, string>, body = QUERY) =>
  fetch(served.url, { method: 'POST', headers: { authorization, 'content-type': 'application/json', ...headers }, body })

describe('accepted media types', () => {
  it.each([
    ['application/graphql-response+json', 'application/graphql-response+json'],
    ['application/json', 'application/json'],
    ['*/*', 'application/json'],
    ['application/graphql-response+json, application/json;q=0.9', 'application/graphql-response+json'],
    ['application/json;q=0.1, application/graphql-response+json;q=0.2', 'application/graphql-response+json'],
  ])('%s is answered with %s, for any answer', async (accept, type) => {
    for (const [query, status] of [
      ['{ viewer { tenant } }', 200],
      ['{ nothing }', 400],
      ['{', 400],
      ['query ($id: ID!) { patient(id: $id) { id } }', 400],
      ['{ patients(first: -1) { edges { cursor } } }', 400],
    ]) {
      const answer = await post({ accept }, JSON.stringify({ query }))
      expect([answer.status, answer.headers.get('content-type')]).toEqual([status, `${type}; charset=utf-8`])
      const body = (await answer.json()) as object
      expect(Object.hasOwn(body, 'data')).toBe(status === 200)
    }
  })

  it.each(['text/html', 'application/json;q=0', 'application/json;charset=utf-16'])(
    '%s is 406, before anything is opened or recorded',
    async (accept) => {
      const before = served.clinic.services.records.counter.requests
      const answer = await post({ accept }, PHI)
      expect(answer.status).toBe(406)
      expect(await answer.json()).toEqual({
        errors: [{ message: 'The request is not valid.', extensions: { code: 'BAD_REQUEST' } }],
        extensions: { phi: { requestId: expect.stringMatching(/^[\w-]{24}$/) as string } },
      })
      expect(served.clinic.services.records.counter.requests).toBe(before)
    },
  )
})

describe('media types of requests', () => {
  it.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"'])(
    '%s is accepted',
    async (type) => {
      expect((await post({ 'content-type': type })).status).toBe(200)
    },
  )

  it.each([
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'multipart/form-data; boundary=a' },
    { 'content-type': 'application/graphql' },
    { 'content-type': 'application/json; charset=utf-16' },
    { 'content-type': 'application/jsonp' },
    { 'content-encoding': 'gzip' },
  ])('%j is 415', async (headers) => {
    const answer = await post(headers)
    expect(answer.status).toBe(415)
    expect(await answer.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] })
  })

  it('GET is 405 and names POST; a request without a token is 401, whatever else is wrong', async () => {
    const get = await fetch(`${served.url}?query=%7B__typename%7D`, { headers: { authorization } })
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    for (const headers of [{}, { accept: 'text/html' }, { 'content-type': 'text/plain' }]) {
      const answer = await post({ ...headers, authorization: 'Bearer none' })
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    }
  })

  it('no answer may be cached by a proxy', async () => {
    for (const headers of [{}, { authorization: '' }, { accept: 'text/html' }, { 'content-type': 'text/plain' }])
      expect((await post(headers)).headers.get('cache-control')).toBe('no-store')
  })
})
