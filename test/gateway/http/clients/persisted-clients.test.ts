import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { cacheExchange, createClient, fetchExchange } from '@urql/core'
import { persistedExchange } from '@urql/exchange-persisted'
import { print } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { Caller } from '../../../../gateway/model/decision.ts'
import { sha256 } from '../../../harness/operation-registry.ts'
import { ACME, billing, contract, IP, operationGateway, partner } from '../../operations/persisted/operation-gateway.ts'

const URL = 'http://gateway.test/graphql'
const ME = gql`
  query Me {
    me {
      user
    }
  }
`
const REVOKED = gql`
  query Revoked {
    me {
      roles
    }
  }
`

type Gateway = Awaited<ReturnType<typeof operationGateway>>

/** A `fetch` that leads to a gateway in this process, and the requests that it carried: `GET`, `id`, `text` or `text and id`. */
function wire({ gateway }: Gateway): { fetch: typeof fetch; sent: string[] } {
  const sent: string[] = []
  const send: typeof fetch = async (input, { method = 'GET', headers, body } = {}) => {
    const [, queryString] = String(input instanceof Request ? input.url : input).split('?')
    const text = typeof body === 'string' ? body : ''
    const parts = [text.includes('"query"') && 'text', text.includes('sha256Hash') && 'id'].filter((part) => part !== false)
    sent.push(method === 'GET' ? 'GET' : parts.join(' and '))
    const answer = await gateway.handle({
      method,
      headers: Object.fromEntries(new Headers(headers)),
      body: text,
      sourceIp: IP,
      ...(queryString !== undefined && { queryString }),
    })
    return new Response(answer.body, { status: answer.status, headers: answer.headers })
  }
  return { fetch: send, sent }
}

const gatewayFor = (caller: Caller, register: readonly string[] = []) =>
  operationGateway({}, register, { identity: () => ({ callerOf: () => Promise.resolve(caller) }) })

function apollo(gateway: Gateway, useGETForHashedQueries = false) {
  const { fetch, sent } = wire(gateway)
  const link = ApolloLink.from([new PersistedQueryLink({ sha256, useGETForHashedQueries }), new HttpLink({ uri: URL, fetch })])
  const client = new ApolloClient({ link, cache: new InMemoryCache({ addTypename: false } as never) })
  // Apollo adds the type name to each document
  const hashOf = (document: typeof ME): string => sha256(print(client.documentTransform.transformDocument(document)))
  const query = (document: typeof ME) => client.query({ query: document, fetchPolicy: 'network-only' })
  return { query, sent, hashOf, textOf: (document: typeof ME) => print(client.documentTransform.transformDocument(document)) }
}

const codeOf = async (answer: Promise<unknown>): Promise<unknown> => {
  const error: unknown = await answer.catch((thrown: unknown) => thrown)
  return CombinedGraphQLErrors.is(error) ? error.errors[0]?.extensions?.['code'] : error
}

describe('a partner with Apollo Client 4', () => {
  it('never sends a text, and one revoked operation does not stop the others', async () => {
    const gateway = await gatewayFor(partner())
    const { query, sent, textOf } = apollo(gateway)
    gateway.operations.admit(ACME, contract())
    gateway.operations.register(ACME, textOf(ME))
    const revoked = gateway.operations.register(ACME, textOf(REVOKED))
    expect((await query(REVOKED)).data).toMatchObject({ me: { roles: ['PARTNER'] } })
    gateway.operations.revoke(ACME, revoked)
    expect(await codeOf(query(REVOKED))).toBe('PERSISTED_QUERY_NOT_IN_LIST')
    expect((await query(ME)).data).toMatchObject({ me: { user: 'user-1' } })
    expect(await codeOf(query(REVOKED))).toBe('PERSISTED_QUERY_NOT_IN_LIST')
    expect(sent).toEqual(['id', 'id', 'id', 'id'])
  })

  it('by GET as well', async () => {
    const gateway = await gatewayFor(partner())
    const { query, sent, textOf } = apollo(gateway, true)
    gateway.operations.admit(ACME, contract())
    gateway.operations.register(ACME, textOf(ME))
    expect((await query(ME)).data).toMatchObject({ me: { user: 'user-1' } })
    expect(await codeOf(query(REVOKED))).toBe('PERSISTED_QUERY_NOT_IN_LIST')
    expect((await query(ME)).data).toMatchObject({ me: { user: 'user-1' } })
    expect(sent).toEqual(['GET', 'GET', 'GET'])
  })
})

describe('a first-party client with Apollo Client 4', () => {
  it('registers a query once, and then sends its hash', async () => {
    const { query, sent } = apollo(await gatewayFor(billing(), ['web']))
    for (let time = 0; time < 3; time++) expect((await query(ME)).data).toMatchObject({ me: { user: 'user-1' } })
    expect(sent).toEqual(['id', 'text and id', 'id', 'id'])
  })

  it('sends only texts to a gateway that registers none', async () => {
    const { query, sent } = apollo(await gatewayFor(billing()))
    for (let time = 0; time < 2; time++) expect((await query(ME)).data).toMatchObject({ me: { user: 'user-1' } })
    expect(sent).toEqual(['id', 'text', 'text'])
  })
})

describe('urql with its exchange', () => {
  const urql = (gateway: Gateway) => {
    const { fetch, sent } = wire(gateway)
    const exchanges = [cacheExchange, persistedExchange({ preferGetForPersistedQueries: false }), fetchExchange]
    const client = createClient({ url: URL, fetch, exchanges, requestPolicy: 'network-only', preferGetMethod: false })
    const query = async (document: typeof ME) => await client.query(document, {}).toPromise()
    return { query, sent }
  }

  it('of a partner sends no text for a hash that is not in the list', async () => {
    const gateway = await gatewayFor(partner())
    gateway.operations.admit(ACME, contract())
    const { query, sent } = urql(gateway)
    const { error } = await query(ME)
    expect(error?.graphQLErrors[0]?.extensions['code']).toBe('PERSISTED_QUERY_NOT_IN_LIST')
    const hash = gateway.operations.calls[0]?.[1]
    gateway.operations.register(ACME, 'query Me { me { user } }', hash)
    expect(((await query(ME)).data as { me: object }).me).toEqual({ user: 'user-1' })
    expect(sent).toEqual(['id', 'id'])
  })

  it('of a first-party client registers a query once, or sends only texts', async () => {
    const registering = urql(await gatewayFor(billing(), ['web']))
    for (let time = 0; time < 2; time++) expect((await registering.query(ME)).error).toBeUndefined()
    expect(registering.sent).toEqual(['id', 'text and id', 'id'])
    const other = urql(await gatewayFor(billing()))
    for (let time = 0; time < 2; time++) expect((await other.query(ME)).error).toBeUndefined()
    expect(other.sent).toEqual(['id', 'text', 'text'])
  })
})
