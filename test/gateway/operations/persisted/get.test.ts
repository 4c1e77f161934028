import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../harness/operation-registry.ts'
import { ACME, billing, contract, operationGateway, type Sending } from './operation-gateway.ts'

const WEB = { ...ACME, client: 'web' }
const caller = billing()

async function asked(text: string, sending: Sending = {}, variables: object = {}) {
  const { send, operations } = await operationGateway()
  operations.admit(ACME, contract())
  const id = operations.register(WEB, text)
  operations.register(ACME, text)
  const url = `documentId=${id}&variables=${encodeURIComponent(JSON.stringify(variables))}`
  return await send('', { caller, url, ...sending })
}

describe('P8: a GET', () => {
  it('answers a registered query of the client', async () => {
    const answer = await asked(
      'query ($n: Int, $k: Kind, $yes: Boolean!) { plans(kind: $k, first: $n) { name @include(if: $yes) } }',
      {},
      {
        n: 2,
        k: 'PUBLIC',
        yes: true,
      },
    )
    expect(answer).toMatchObject({ status: 200, data: { plans: [{ name: 'gold' }] } })
    expect(answer.headers).toEqual({
      'content-type': 'application/graphql-response+json; charset=utf-8',
      'cache-control': 'no-store',
    })
  })

  it('has the same names as a body, and each of the four forms', async () => {
    const { send, operations } = await operationGateway()
    const id = operations.register(WEB, 'query A { me { user } }')
    const persistedQuery = encodeURIComponent(JSON.stringify({ persistedQuery: { version: 1, sha256Hash: id } }))
    for (const url of [`documentId=${id}`, `doc_id=sha256:${id}`, `id=${id}&operationName=A`, `extensions=${persistedQuery}`]) {
      expect((await send('', { caller, url })).data, url).toEqual({ me: { user: 'user-1' } })
    }
  })

  it.each([
    ['an id', 'query ($id: ID!) { person(id: $id) { id } }', { id: 'x' }],
    ['an id with a default', 'query ($id: ID! = "x") { person(id: $id) { id } }', {}],
    ['a cursor', 'query ($after: String) { people(after: $after) { mayBeIncomplete } }', {}],
    ['a cursor of another name', 'query ($c: String) { people(after: $c) { mayBeIncomplete } }', {}],
    ['an argument that reads a field', 'query ($n: String) { people(name: $n) { mayBeIncomplete } }', {}],
    ['such an argument, with a default', 'query ($n: String = "x") { people(name: $n) { mayBeIncomplete } }', {}],
    [
      'such an argument, in a fragment',
      'query ($n: String) { ...F } fragment F on Query { people(name: $n) { mayBeIncomplete } }',
      {},
    ],
    [
      'such an argument, under a condition',
      'query ($n: String) { me { user } people(name: $n) @skip(if: true) { mayBeIncomplete } }',
      {},
    ],
    ['an input object with such a field', 'query ($f: Filter) { people(filter: $f) { mayBeIncomplete } }', {}],
    ['such a field of an object', 'query ($b: String) { people(filter: { inner: { born: $b } }) { mayBeIncomplete } }', {}],
    [
      'an object with such a field, within an object',
      'query ($i: Inner) { people(filter: { inner: $i }) { mayBeIncomplete } }',
      {},
    ],
    ['a mutation', 'mutation { touch { user } }', {}],
  ])('is refused with %s among the variables', async (_what, text, variables) => {
    const answer = await asked(text, {}, variables)
    expect([answer.status, answer.code, answer.headers['allow']]).toEqual([405, 'BAD_REQUEST', 'POST'])
    expect(answer.data).toBeUndefined()
  })

  it('with another field of such an object is answered', async () => {
    const text =
      'query ($a: Boolean, $s: Int) { people(filter: { size: $s, inner: { active: $a } }, name: "x", after: null) { mayBeIncomplete } }'
    expect((await asked(text)).status).toBe(200)
  })

  it.each([
    ['no Accept header', undefined],
    ['JSON', 'application/json'],
    ['any type', '*/*'],
    ['the types of a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ])('is refused with %s', async (_what, accept) => {
    const answer = await asked('{ me { user } }', { headers: accept === undefined ? { accept: '' } : { accept } })
    expect([answer.status, answer.code]).toEqual([406, 'BAD_REQUEST'])
  })

  it.each([
    ['a text', 'query=%7Bme%7Buser%7D%7D'],
    ['a text beside an id', 'documentId=x&query=%7Bme%7Buser%7D%7D'],
    ['an empty text', 'documentId=x&query='],
    ['nothing', ''],
    ['no operation', 'operationName=A'],
  ])('is refused with %s, before the caller is known', async (_what, url) => {
    const { send } = await operationGateway({}, [], {
      identity: () => ({ callerOf: () => Promise.reject(new TypeError('asked')) }),
    })
    const answer = await send('', { caller, url })
    expect([answer.status, answer.headers['allow'], answer.events]).toEqual([405, 'POST', []])
  })

  it('does not run a query that the client registered by itself, and its library sends the text', async () => {
    const { send } = await operationGateway({}, ['web'])
    const query = '{ me { user } }'
    const extensions = { persistedQuery: { version: 1, sha256Hash: sha256(query) } }
    expect((await send({ query, extensions }, { caller })).calls).toEqual(['store'])
    const url = `extensions=${encodeURIComponent(JSON.stringify(extensions))}`
    expect(await send('', { caller, url })).toMatchObject({ status: 200, code: 'PERSISTED_QUERY_NOT_FOUND', calls: ['byId'] })
  })

  it('of another method is refused', async () => {
    const { gateway } = await operationGateway()
    for (const method of ['HEAD', 'PUT', 'DELETE']) {
      const { status, headers } = await gateway.handle({ method, headers: {}, body: '', queryString: 'id=x' })
      expect([status, headers['allow']]).toEqual([405, 'POST'])
    }
  })
})
