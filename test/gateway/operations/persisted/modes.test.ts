import { describe, expect, it } from 'vitest'
import type { Role } from '../../../../directives/policy.ts'
import { OperationSettings } from '../../../../gateway/operations/persisted/adoption.ts'
import { documentHash } from '../../../../gateway/operations/persisted/document-hash.ts'
import { IntegrityFailure, KeyUnavailable, StoreUnavailable } from '../../../../gateway/model/failures.ts'
import { sha256 } from '../../../harness/operation-registry.ts'
import { parse } from 'graphql'
import { ACME, billing, contract, operationGateway } from './operation-gateway.ts'

const ME = '{ me { user } }'
const WEB = { ...ACME, client: 'web' }
const DATA = { me: { user: 'user-1' } }
const persisted = (sha256Hash: string): object => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } })
const caller = billing()
const ID_FORMS = (id: string): readonly object[] => [{ documentId: id }, { doc_id: id }, { id }]

describe('a first-party client without a mode', () => {
  it('sends any text, and the registry is not asked', async () => {
    const { send } = await operationGateway()
    for (const body of [{ query: ME }, { query: ME, documentId: 'x' }, { query: ME, ...persisted('00') }]) {
      expect(await send(body, { caller })).toMatchObject({ data: DATA, calls: [], events: [] })
    }
    expect((await send({ query: ME }, { caller: billing(null) })).data).toEqual(DATA)
  })

  it('can send ids, and falls back to the text where its library does', async () => {
    const { send, operations } = await operationGateway()
    const id = operations.register(WEB, ME)
    for (const body of [persisted(id), ...ID_FORMS(id)])
      expect(await send(body, { caller })).toMatchObject({ data: DATA, calls: ['byId'] })
    const unknown = await send(persisted('00'), { caller })
    expect(JSON.parse(unknown.bytes)).toMatchObject({ errors: [{ message: 'PersistedQueryNotSupported' }] })
    // the next step of the protocol is no refusal
    expect([unknown.status, unknown.code, unknown.records]).toEqual([200, 'PERSISTED_QUERY_NOT_SUPPORTED', []])
    for (const body of ID_FORMS('00')) {
      const answer = await send(body, { caller })
      expect([answer.status, answer.code, answer.records.length]).toEqual([400, 'PERSISTED_DOCUMENT_NOT_FOUND', 1])
    }
  })
})

it('an id leads to one operation: a registered text with two is refused', async () => {
  const { send, operations } = await operationGateway()
  const id = operations.register(WEB, 'query A { me { user } } query B { me { roles } }')
  expect((await send({ id, operationName: 'A' }, { caller })).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
})

describe('the mode log', () => {
  const logging = () => operationGateway({ web: 'log' })

  it('answers any text, and reports an unregistered one without its text', async () => {
    const { send, operations, log } = await logging()
    const events: unknown[] = []
    const gateway = await operationGateway({ web: 'log' }, [], { events: (event) => void events.push(event) })
    await gateway.send({ query: ME }, { caller })
    const unregistered = events.filter((event) => (event as { event: string }).event === 'UNREGISTERED_OPERATION')
    expect(unregistered).toEqual([
      {
        event: 'UNREGISTERED_OPERATION',
        requestId: expect.any(String) as string,
        tenant: 'riverside',
        client: 'web',
        hash: documentHash(parse(ME)),
      },
    ])
    expect(await send({ query: ME }, { caller })).toMatchObject({
      data: DATA,
      calls: ['byText'],
      events: ['UNREGISTERED_OPERATION'],
    })
    operations.register(WEB, ME)
    expect(await send({ query: ME }, { caller })).toMatchObject({ data: DATA, calls: ['byText'], events: [] })
    expect(log.records).toEqual([])
  })

  it.each([new StoreUnavailable(), new KeyUnavailable(), new IntegrityFailure()])(
    'continues while the registry fails with %s, and reports it',
    async (failure) => {
      const { send, operations } = await logging()
      operations.failure = failure
      const answer = await send({ query: ME }, { caller })
      expect(answer.data).toEqual(DATA)
      expect(answer.events).toHaveLength(1)
      expect(answer.events[0]).toMatch(/UNAVAILABLE|INTEGRITY/)
      // an id without the registry is no operation
      expect(await send({ id: 'x' }, { caller })).toMatchObject({ status: 503, code: 'OPERATIONS_UNAVAILABLE' })
    },
  )

  it('leaves a text that the schema refuses to the schema', async () => {
    const { send } = await logging()
    expect(await send({ query: '{ nothing }' }, { caller })).toMatchObject({ code: 'GRAPHQL_VALIDATION_FAILED', calls: [] })
  })

  it('applies the contract of the client, if it has one', async () => {
    const { send, operations } = await logging()
    operations.admit(WEB, contract({ roles: new Set(['PARTNER' as Role]) }))
    expect(await send({ query: ME }, { caller })).toMatchObject({ code: 'PERSISTED_DOCUMENT_NOT_FOUND' })
  })
})

describe('the mode match', () => {
  it('answers a registered text, whatever its white space and comments are', async () => {
    const { send, operations } = await operationGateway({ web: 'match' })
    operations.register(WEB, 'query A { me { ...F } } fragment F on Me { user }')
    for (const query of [
      'query A { me { ...F } } fragment F on Me { user }',
      'fragment F on Me {\n  user # a comment\n}\n\n"a description" query A { me { ...F, } }',
    ])
      expect((await send({ query }, { caller })).data).toEqual(DATA)
  })

  it.each([
    ['another selection', 'query A { me { ...F roles } } fragment F on Me { user }'],
    ['an alias', 'query A { me { ...F } } fragment F on Me { other: user }'],
    ['another name', 'query B { me { ...F } } fragment F on Me { user }'],
    ['a second operation', 'query A { me { ...F } } query B { me { ...F } } fragment F on Me { user }'],
    ['a text that the schema refuses', '{ nothing }'],
    ['a text that is no GraphQL', '{'],
  ])('refuses and records an unregistered text: %s', async (_what, query) => {
    const { send, operations } = await operationGateway({ web: 'match' })
    operations.register(WEB, 'query A { me { ...F } } fragment F on Me { user }')
    const answer = await send({ query }, { caller })
    expect([answer.status, answer.code]).toEqual([400, 'PERSISTED_DOCUMENT_NOT_FOUND'])
    expect(answer.records).toEqual([{ path: '#operation', outcome: 'DENIED', reason: 'CONTRACT' }])
    expect(answer.context?.operationHash).toBe(sha256(query))
  })

  it('lets a library that sends a hash first send the text', async () => {
    const { send } = await operationGateway({ web: 'match' })
    expect(await send(persisted('00'), { caller })).toMatchObject({ status: 200, code: 'PERSISTED_QUERY_NOT_SUPPORTED' })
  })

  it('fails closed without the registry', async () => {
    const { send, operations } = await operationGateway({ web: 'match' })
    operations.register(WEB, ME)
    operations.failure = new StoreUnavailable()
    const answer = await send({ query: ME }, { caller })
    expect(answer).toMatchObject({ status: 503, code: 'OPERATIONS_UNAVAILABLE', data: undefined, events: ['STORE_UNAVAILABLE'] })
  })
})

describe('the mode only', () => {
  it('answers registered ids, and tells the client to send no text', async () => {
    const { send, operations } = await operationGateway({ web: 'only' })
    const id = operations.register(WEB, ME)
    for (const body of [persisted(id), ...ID_FORMS(id)]) expect((await send(body, { caller })).data).toEqual(DATA)
    for (const body of [{ query: ME }, { query: ME, ...persisted(id) }, { query: ME, id }]) {
      expect(await send(body, { caller })).toMatchObject({ status: 400, code: 'PERSISTED_DOCUMENT_ID_REQUIRED', calls: [] })
    }
    expect(await send(persisted('00'), { caller })).toMatchObject({ status: 200, code: 'PERSISTED_QUERY_NOT_IN_LIST' })
  })

  it('is of the client, not of the user', async () => {
    const { send } = await operationGateway({ web: 'only' })
    const headers = { 'apollographql-client-name': 'ehr' }
    expect((await send({ query: ME }, { caller, headers })).code).toBe('PERSISTED_DOCUMENT_ID_REQUIRED')
    expect((await send({ query: ME }, { caller: billing('ehr') })).data).toEqual(DATA)
  })
})

describe('a client that registers queries by itself', () => {
  const registering = () => operationGateway({}, ['web'])

  it('sends the hash, is asked for the text, and then sends only the hash', async () => {
    const { send } = await registering()
    const hash = sha256(ME)
    const unknown = await send(persisted(hash), { caller })
    expect(JSON.parse(unknown.bytes)).toMatchObject({ errors: [{ message: 'PersistedQueryNotFound' }] })
    expect(unknown).toMatchObject({ status: 200, code: 'PERSISTED_QUERY_NOT_FOUND', calls: ['byId', 'find'], records: [] })
    expect(await send({ query: ME, ...persisted(hash) }, { caller })).toMatchObject({ data: DATA, calls: ['store'] })
    expect(await send(persisted(hash), { caller })).toMatchObject({ data: DATA, calls: ['byId', 'find'] })
  })

  it('does not register for another client, and no other form of request registers', async () => {
    const { send } = await operationGateway({}, ['web', 'other'])
    const hash = sha256(ME)
    await send({ query: ME, ...persisted(hash) }, { caller })
    expect((await send(persisted(hash), { caller: billing('other') })).code).toBe('PERSISTED_QUERY_NOT_FOUND')
    expect((await send({ query: ME, documentId: sha256(ME) }, { caller: billing('other') })).calls).toEqual([])
    expect((await send({ documentId: hash }, { caller })).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
  })

  it('cannot store a text under another hash, or a text that the schema refuses', async () => {
    const { send } = await registering()
    expect(await send({ query: ME, ...persisted(sha256('{ a }')) }, { caller })).toMatchObject({
      status: 400,
      code: 'BAD_REQUEST',
      calls: [],
    })
    const wrong = '{ nothing }'
    expect(await send({ query: wrong, ...persisted(sha256(wrong)) }, { caller })).toMatchObject({
      code: 'GRAPHQL_VALIDATION_FAILED',
      calls: [],
    })
  })

  it('does not run a stored text that has another hash', async () => {
    const { send, operations } = await registering()
    const hash = sha256(ME)
    await send({ query: ME, ...persisted(hash) }, { caller })
    operations.replaceAutomatic(WEB, hash, '{ me { roles } }')
    expect((await send(persisted(hash), { caller })).code).toBe('PERSISTED_QUERY_NOT_FOUND')
  })

  it('is served while its queries cannot be stored or found', async () => {
    const { send, operations } = await registering()
    const hash = sha256(ME)
    operations.failure = new StoreUnavailable()
    expect(await send({ query: ME, ...persisted(hash) }, { caller })).toMatchObject({ data: DATA, events: ['STORE_UNAVAILABLE'] })
  })

  it('is served a registered operation before one of its own', async () => {
    const { send, operations } = await registering()
    const hash = sha256(ME)
    await send({ query: ME, ...persisted(hash) }, { caller })
    operations.register(WEB, '{ me { roles } }', hash)
    expect(await send(persisted(hash), { caller })).toMatchObject({ data: { me: { roles: ['BILLING'] } }, calls: ['byId'] })
  })
})

describe('the registry of other clients', () => {
  it.each([{}, { web: 'only' as const }])('fails closed for an id: %j', async (modes) => {
    const { send, operations } = await operationGateway(modes)
    operations.failure = new KeyUnavailable()
    expect(await send(persisted('00'), { caller })).toMatchObject({
      status: 503,
      code: 'OPERATIONS_UNAVAILABLE',
      events: ['KEY_UNAVAILABLE'],
    })
  })
})

describe('the setting PHI_OPERATIONS', () => {
  it('has modes by client and the clients that register', () => {
    const given = { modes: { portal: 'match', kiosk: 'only', web: 'log' }, register: ['web', 'app'] }
    expect(OperationSettings.parse(given)).toEqual({
      modes: new Map(Object.entries(given.modes)),
      register: new Set(['web', 'app']),
    })
    expect(OperationSettings.parse({})).toEqual({ modes: new Map(), register: new Set() })
  })

  it.each([
    { modes: { web: 'free' } },
    { modes: { '': 'only' } },
    { mode: {} },
    { register: 'web' },
    { modes: { web: 'match' }, register: ['web'] },
    { modes: { web: 'only' }, register: ['web'] },
  ])('is refused: %j', (given) => {
    expect(OperationSettings.safeParse(given).success).toBe(false)
  })
})
