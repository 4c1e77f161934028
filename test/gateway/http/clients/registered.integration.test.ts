import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { gql } from '@apollo/client'
import relay from 'relay-runtime'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { clientFile, operationId } from '../../../../infra/local/demo/demo-clients.ts'
import { PORTAL_CLIENT } from '../../../../infra/local/token.ts'
import { at, nodesAt } from '../../asking.ts'
import { documentsOf, manifestOf } from './demo-documents.ts'
import { BEACON, type RegisteredStack, RIVERSIDE, type Served, serveRegistered } from './registered-over-http.ts'
import { type Outcome, registeredApollo } from './samples/registered-apollo.ts'
import { registeredUrql } from './samples/registered-urql.ts'
import { relayEnvironment, viewerRequest } from './samples/relay.ts'

const ACME = documentsOf('acme')
const PORTAL = documentsOf(PORTAL_CLIENT)
const MEMBERS = operationId('acme', 'Members')
const NOT_IN_LIST = 'PERSISTED_QUERY_NOT_IN_LIST'

let stack: RegisteredStack
let one: Served
let other: Served
const tokens = { acme: '', [BEACON]: '', portal: '', demo: '' }

beforeAll(async () => {
  stack = await serveRegistered()
  ;[one, other] = stack.processes
  tokens.acme = await stack.token('acme')
  tokens[BEACON] = await stack.token(BEACON)
  tokens.portal = await stack.token('physician', PORTAL_CLIENT)
  tokens.demo = await stack.token('physician')
  // the contract of acme for another client, and one operation of its own
  const contract = JSON.stringify({ ...(JSON.parse(clientFile('acme', 'contract.json')) as object), client: BEACON })
  const own = { [BEACON_ONLY]: 'query Own { patients(first: 1) { edges { node { familyName } } } }' }
  const { admin } = stack
  const of = { tenant: RIVERSIDE, client: BEACON }
  await decide('contract', () => admin.decisions.approveContract(RIVERSIDE, contract, admin.by))
  await decide('publish', () => admin.decisions.publish(of, { manifest: JSON.stringify(own), by: admin.by }))
})
afterAll(() => stack.stop())
beforeEach(() => {
  one.sent.length = 0
  other.sent.length = 0
})

const BEACON_ONLY = 'beacon-1'

/** Carries out a decision of an administrator. */
async function decide(
  name: string,
  decision: () => ReturnType<RegisteredStack['admin']['decisions']['revoke' | 'publish' | 'approveContract']>,
): Promise<void> {
  const decided = await decision()
  if (decided.refused !== undefined) throw new Error(decided.refused)
  await stack.admin.commit(name, decided.changes)
}

const members = (outcome: Outcome): readonly unknown[] => nodesAt(outcome, 'data', 'patients')

describe('P10: Apollo Client 4 of a partner, with the ids of its manifest', () => {
  it('P10: runs every operation by id alone', async () => {
    const run = registeredApollo(one.url, tokens.acme, { manifest: manifestOf('acme') })
    const found = members(await run(ACME['Members']))
    expect(found.length).toBeGreaterThan(0)
    const { id, familyName, birthDate } = found[0] as { id: string; familyName: string; birthDate: string }
    expect(at(await run(ACME['MemberClaims'], { id }), 'data', 'patient', 'id')).toBe(id)
    expect(at(await run(ACME['MemberCoverage'], { id }), 'data', 'patient', 'id')).toBe(id)
    expect(nodesAt(await run(ACME['MatchMember'], { familyName, birthDate }), 'data', 'patientByNameAndBirthDate')).toMatchObject([
      { id },
    ])
    expect(new Set(one.sent)).toEqual(new Set(['id']))
  })

  it('P10, P13: goes on with the other operations after one was revoked, which two processes refuse at once', async () => {
    const manifest = manifestOf('acme')
    const runs = [registeredApollo(one.url, tokens.acme, { manifest }), registeredApollo(other.url, tokens.acme, { manifest })]
    const memberId = { memberId: 'SUB-1' }
    for (const run of runs) expect(await run(ACME['MemberByNumber'], memberId)).toHaveProperty('data')
    const of = { tenant: RIVERSIDE, client: 'acme' }
    await decide('revoke', () => stack.admin.decisions.revoke(of, operationId('acme', 'MemberByNumber'), stack.admin.by))
    for (const run of runs) {
      expect(await run(ACME['MemberByNumber'], memberId)).toEqual({ code: NOT_IN_LIST })
      for (let time = 0; time < 2; time++) expect(members(await run(ACME['Members'])).length).toBeGreaterThan(0)
      expect(await run(ACME['MemberByNumber'], memberId)).toEqual({ code: NOT_IN_LIST })
    }
    for (const { sent } of [one, other]) expect(sent).toEqual(['id', 'id', 'id', 'id', 'id'])
  })

  it('P10: is refused with a text or a hash of its own, and never sends the text after the hash', async () => {
    const own = gql`
      query Own {
        patients(first: 1) {
          edges {
            node {
              mrn
            }
          }
        }
      }
    `
    const run = registeredApollo(one.url, tokens.acme)
    for (let time = 0; time < 2; time++) expect(await run(own)).toEqual({ code: NOT_IN_LIST })
    expect(one.sent).toEqual(['id', 'id'])
    const { status, code } = await post({ query: manifestOf('acme').operations[0]?.body }, tokens.acme)
    expect([status, code]).toEqual([400, 'PERSISTED_DOCUMENT_ID_REQUIRED'])
  })
})

describe('P10: Apollo Client 4 of a first-party client', () => {
  it('registers a query once: hash, text and hash, then the hash alone, also for another process', async () => {
    const own = gql`
      query MyPanel {
        patients(first: 1) {
          edges {
            node {
              familyName
            }
          }
        }
      }
    `
    const run = registeredApollo(one.url, tokens.portal)
    for (let time = 0; time < 2; time++) expect(members(await run(own))).toHaveLength(1)
    expect(one.sent).toEqual(['id', 'text and id', 'id'])
    expect(members(await registeredApollo(other.url, tokens.portal)(own))).toHaveLength(1)
    expect(other.sent).toEqual(['id'])
    // another client of the same user has no such query
    expect(members(await registeredApollo(other.url, tokens.demo)(own))).toHaveLength(1)
    expect(other.sent).toEqual(['id', 'id', 'text'])
  })

  it('that may not register sends its text, and no hash afterwards', async () => {
    const run = registeredApollo(one.url, tokens.demo)
    for (let time = 0; time < 2; time++) expect(members(await run(PORTAL['Panel'], { first: 2 }))).toHaveLength(2)
    expect(one.sent).toEqual(['id', 'text', 'text'])
  })

  it('sends a registered query without variables by GET', async () => {
    const run = registeredApollo(one.url, tokens.portal, { manifest: manifestOf(PORTAL_CLIENT), useGet: true })
    expect(at(await run(PORTAL['Home']), 'data', 'viewer', 'userId')).toBe('physician')
    expect(one.sent).toEqual(['GET'])
  })
})

async function post(
  body: object,
  token: string,
  headers: Record<string, string> = {},
  { url } = one,
): Promise<{ status: number; text: string; code: unknown; data: unknown }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  const json: unknown = JSON.parse(text)
  const { requestId } = at(json, 'extensions', 'phi') as { requestId: string }
  return {
    status: response.status,
    text: text.replaceAll(requestId, ''),
    code: at(json, 'errors', 0, 'extensions', 'code'),
    data: at(json, 'data'),
  }
}

describe('P10: the client is the one of the token', () => {
  const HEADERS = (client: string): Record<string, string> => ({
    'apollographql-client-name': client,
    'apollographql-client-version': '1.0.0',
    'client-id': client,
    'x-client-id': client,
    'x-client-name': client,
  })
  const bodies = (id: string) => [
    { documentId: id },
    { doc_id: id },
    { extensions: { persistedQuery: { version: 1, sha256Hash: id } } },
    { documentId: id, client: BEACON, client_id: BEACON, clientId: BEACON, extensions: { client_id: BEACON, clientId: BEACON } },
  ]

  it('P10: a header or a member of the body gives no operation of another client, and takes none away', async () => {
    for (const claimed of [BEACON, PORTAL_CLIENT, 'acme', '']) {
      expect((await post({ documentId: MEMBERS }, tokens.acme, HEADERS(claimed))).data).toHaveProperty('patients')
      expect((await post({ documentId: BEACON_ONLY }, tokens.acme, HEADERS(claimed))).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
      expect((await post({ documentId: MEMBERS }, tokens.portal, HEADERS(claimed))).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
      expect((await post({ query: '{ viewer { userId } }' }, tokens.acme, HEADERS(claimed))).code).toBe(
        'PERSISTED_DOCUMENT_ID_REQUIRED',
      )
    }
  })

  it("P10: refuses another client's id with the bytes of an unknown id, and answers its own client", async () => {
    const unknown = bodies('unknown-1')
    for (const [form, body] of bodies(BEACON_ONLY).entries()) {
      const refused = await post(body, tokens.acme)
      expect(refused.data).toBeUndefined()
      expect(refused).toEqual(await post(unknown[form] ?? {}, tokens.acme))
    }
    expect((await post({ documentId: BEACON_ONLY }, tokens[BEACON])).data).toHaveProperty('patients')
    expect((await post({ documentId: MEMBERS }, tokens[BEACON])).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
  })
})

describe('P10: urql with its exchange, and the ids of a manifest', () => {
  it('P10: of a partner sends ids by POST, and no text after a refusal', async () => {
    const run = registeredUrql(one.url, tokens.acme, 'acme', false)
    expect(nodesAt(await run(ACME['Members']), 'data', 'patients').length).toBeGreaterThan(0)
    const of = { tenant: RIVERSIDE, client: 'acme' }
    await decide('revoke', () => stack.admin.decisions.revoke(of, operationId('acme', 'ClaimById'), stack.admin.by))
    const refused = await run(ACME['ClaimById'], { id: 'any' })
    expect(at(refused, 'graphQLErrors', 0, 'extensions', 'code')).toBe(NOT_IN_LIST)
    expect(nodesAt(await run(ACME['Members']), 'data', 'patients').length).toBeGreaterThan(0)
    expect(one.sent).toEqual(['id', 'id', 'id'])
  })

  it('P10: sends a query without variables by GET, and is refused with 405 for one with a cursor', async () => {
    const portal = registeredUrql(one.url, tokens.portal, PORTAL_CLIENT, 'within-url-limit')
    expect(at(await portal(PORTAL['Home']), 'data', 'viewer', 'userId')).toBe('physician')
    const acme = registeredUrql(one.url, tokens.acme, 'acme', 'within-url-limit')
    expect(at(await acme(ACME['Members']), 'response', 'status')).toBe(405)
    expect(one.sent).toEqual(['GET', 'GET'])
  })
})

describe('P10: Relay', () => {
  it('P10: runs a registered query by doc_id, and is refused for the id of another client', async () => {
    const portal = relayEnvironment(one.url, tokens.portal)
    const fetched = (id: string) => relay.fetchQuery(portal, viewerRequest('Home', id), {}).toPromise()
    expect(await fetched(operationId(PORTAL_CLIENT, 'Home'))).toEqual({ viewer: { userId: 'physician' } })
    await expect(fetched(MEMBERS)).rejects.toThrow()
    expect(one.sent).toEqual(['id', 'id'])
  })
})

describe('P10: curl', () => {
  async function curl(token: string, ...words: readonly string[]): Promise<{ status: string; json: unknown }> {
    const common = ['-s', '-w', '\n%{http_code}', '-H', `authorization: Bearer ${token}`]
    const { stdout } = await promisify(execFile)('curl', [...common, ...words])
    const cut = stdout.lastIndexOf('\n')
    return { status: stdout.slice(cut + 1), json: JSON.parse(stdout.slice(0, cut)) }
  }
  const JSON_BODY = ['-H', 'content-type: application/json', '-d']
  const ACCEPT = ['-H', 'accept: application/graphql-response+json']

  it('P10: runs an operation by POST', async () => {
    for (const id of [MEMBERS, `sha256:${MEMBERS}`]) {
      const { status, json } = await curl(tokens.acme, one.url, ...JSON_BODY, JSON.stringify({ documentId: id }))
      expect(status).toBe('200')
      expect(nodesAt(json, 'data', 'patients').length).toBeGreaterThan(0)
    }
  })

  it('P10: runs a query by GET, and never one with a cursor, an id or a text', async () => {
    const home = operationId(PORTAL_CLIENT, 'Home')
    const { status, json } = await curl(tokens.portal, `${one.url}?documentId=${home}`, ...ACCEPT)
    expect([status, at(json, 'data', 'viewer', 'userId')]).toEqual(['200', 'physician'])
    for (const [token, query] of [
      [tokens.portal, `documentId=${home}&query=%7Bviewer%7BuserId%7D%7D`],
      [tokens.portal, 'query=%7Bviewer%7BuserId%7D%7D'],
      [tokens.portal, `documentId=${operationId(PORTAL_CLIENT, 'Chart')}`],
      [tokens.acme, `documentId=${MEMBERS}`],
    ] as const) {
      const refused = await curl(token, `${one.url}?${query}`, ...ACCEPT)
      expect([refused.status, at(refused.json, 'data')], query).toEqual(['405', undefined])
    }
  })
})
