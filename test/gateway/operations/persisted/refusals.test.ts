import { beforeAll, describe, expect, it } from 'vitest'
import type { Role } from '../../../../directives/policy.ts'
import type { SchemaPath } from '../../../../directives/coordinates.ts'
import type { Contract } from '../../../../gateway/model/contract.ts'
import type { Instant } from '../../../../gateway/model/ids.ts'
import { AuditUnavailable } from '../../../../gateway/model/failures.ts'
import { sha256 } from '../../../harness/operation-registry.ts'
import { callerWith, NOW } from '../../decide/clinic-policy.ts'
import { ACME, billing, contract, type Observed, operationGateway, partner, policy, type Sending } from './operation-gateway.ts'

const QUERY = 'query Read($id: ID!, $deep: Boolean = false) { person(id: $id) { name age @include(if: $deep) } }'
const VARIABLES = { id: 'x' }
const OTHER = { ...ACME, client: 'other' }

const FORMS = ['persistedQuery', 'documentId', 'doc_id', 'id'] as const
type Form = (typeof FORMS)[number]
const bodyWith = (form: Form, id: string): object =>
  form === 'persistedQuery'
    ? { extensions: { persistedQuery: { version: 1, sha256Hash: id } }, variables: VARIABLES }
    : { [form]: id, variables: VARIABLES }
const urlWith = (form: Form, id: string): string =>
  Object.entries(bodyWith(form, id))
    .map(([name, value]) => `${name}=${encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value))}`)
    .join('&')

const without = (path: string): ReadonlySet<SchemaPath> => new Set([...policy.phi.keys()].filter((one) => one !== path))

/** One reason to refuse the id of a partner. `id` is the registered one unless the reason is the id. */
interface Reason {
  readonly name: string
  readonly contract?: Partial<Omit<Contract, 'digest'>>
  readonly prepare?: (gateway: Awaited<ReturnType<typeof operationGateway>>) => string
  readonly sending?: Sending
}

const REASONS: readonly Reason[] = [
  { name: 'an unknown id', prepare: () => sha256('unknown') },
  {
    name: 'a revoked operation',
    prepare: ({ operations }) => {
      const id = operations.register(ACME, `${QUERY} # revoked`)
      operations.revoke(ACME, id)
      return id
    },
  },
  { name: 'the id of another client', prepare: ({ operations }) => operations.register(OTHER, '{ me { user } }') },
  { name: 'an expired contract', contract: { expiresAt: NOW } },
  { name: 'another network', sending: { sourceIp: '198.51.100.7' } },
  { name: 'an unknown network', sending: { sourceIp: undefined } },
  { name: 'a network that cannot be read', contract: { networks: ['192.0.2.0/24', '192.0.2.0/99'] } },
  { name: 'no network', contract: { networks: [] } },
  { name: 'a role outside of the contract', contract: { roles: new Set(['BILLING' as Role]) } },
  { name: 'a purpose outside of the contract', contract: { purposes: new Set(['TREAT']) } },
  { name: 'a path beyond the contract', contract: { paths: without('Person.name') } },
  { name: 'a path beyond the contract, under a condition that is not met', contract: { paths: without('Person.age') } },
  { name: 'an input of a computed value beyond the contract', contract: { paths: without('Person.born') } },
  { name: 'a category beyond the contract', contract: { categories: new Set(['IDENTITY']) } },
  {
    name: 'a text with two operations',
    prepare: ({ operations }) => operations.register(ACME, 'query A { me { user } } query B { me { user } }'),
  },
]

/** The gateway of a case, with the id that the partner sends. */
async function prepared({ contract: changes = {}, prepare }: Reason) {
  const gateway = await operationGateway()
  gateway.operations.admit(ACME, contract(changes))
  gateway.operations.admit(OTHER, contract())
  const registered = gateway.operations.register(ACME, QUERY)
  return { ...gateway, id: prepare?.(gateway) ?? registered }
}

const CODES: Readonly<Record<Form, readonly [number, string]>> = {
  persistedQuery: [200, 'PERSISTED_QUERY_NOT_IN_LIST'],
  documentId: [400, 'PERSISTED_DOCUMENT_NOT_FOUND'],
  doc_id: [400, 'PERSISTED_DOCUMENT_NOT_FOUND'],
  id: [400, 'PERSISTED_DOCUMENT_NOT_FOUND'],
}

describe.each(FORMS)('P10: the id of a partner in the form %s', (form) => {
  /** What all refusals of this form have in common. */
  let model: Observed
  beforeAll(async () => {
    const { send } = await prepared({ name: 'model' })
    model = await send(bodyWith(form, 'model'))
  })

  it('opens the operation of the contract', async () => {
    const { send, id } = await prepared({ name: 'open' })
    const answer = await send(bodyWith(form, id))
    expect([answer.status, answer.data, answer.calls]).toEqual([200, { person: null }, ['byId']])
  })

  it.each(REASONS.map((reason) => [reason.name, reason] as const))('is refused alike: %s', async (_name, reason) => {
    const { send, id } = await prepared(reason)
    // the second answer comes from prepared documents
    for (const answer of [await send(bodyWith(form, id), reason.sending), await send(bodyWith(form, id), reason.sending)]) {
      expect([answer.status, answer.code]).toEqual(CODES[form])
      expect(answer).toMatchObject({ bytes: model.bytes, status: model.status, headers: model.headers, calls: ['byId'], kms: 0 })
      expect(answer.records).toEqual([{ path: '#operation', outcome: 'DENIED', reason: 'CONTRACT' }])
      expect(answer.context).toMatchObject({ client: 'acme', persisted: false, operationHash: id, policy: policy.digest })
      expect(answer.events).toEqual([])
    }
  })

  it.each(REASONS.map((reason) => [reason.name, reason] as const))('is refused alike in a URL: %s', async (_name, reason) => {
    const { send, id } = await prepared(reason)
    const [of, other] = [
      await send('', { ...reason.sending, url: urlWith(form, id) }),
      await send('', { url: urlWith(form, 'model') }),
    ]
    expect([of.status, of.code]).toEqual(CODES[form])
    expect(of).toMatchObject({ bytes: other.bytes, status: other.status, headers: other.headers, calls: ['byId'], kms: 0 })
    expect(of.records).toHaveLength(1)
  })
})

describe('P10: a partner', () => {
  it('without a registered client, without a contract, or without a client in the token is refused', async () => {
    const { send, operations } = await operationGateway()
    const id = operations.register(ACME, QUERY)
    expect((await send(bodyWith('documentId', id))).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
    operations.admit(ACME)
    expect((await send(bodyWith('documentId', id))).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
    operations.admit(ACME, contract())
    const anonymous = callerWith(['PARTNER'], 'HPAYMT')
    expect((await send(bodyWith('documentId', id), { caller: anonymous })).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
    expect((await send(bodyWith('documentId', id))).data).toEqual({ person: null })
  })

  it.each<[string, object]>([
    ['alone', {}],
    ['with its hash', { extensions: { persistedQuery: { version: 1, sha256Hash: sha256(QUERY) } } }],
    ['with a registered id', { documentId: sha256(QUERY) }],
    ['with any id', { id: 'x' }],
  ])('that sends a text %s is told to send an id', async (_name, more) => {
    const { send, operations } = await prepared({ name: 'text' })
    operations.register(ACME, QUERY)
    const answer = await send({ query: QUERY, variables: VARIABLES, ...more })
    expect([answer.status, answer.code, answer.calls]).toEqual([400, 'PERSISTED_DOCUMENT_ID_REQUIRED', []])
    expect(answer.records).toEqual([{ path: '#operation', outcome: 'DENIED', reason: 'CONTRACT' }])
    expect(answer.context?.operationHash).toBe(sha256(QUERY))
  })

  it('that also has a role of staff is a partner', async () => {
    const { send } = await prepared({ name: 'mixed' })
    const caller = { ...partner(), roles: new Set(['PARTNER', 'BILLING'] as Role[]) }
    expect((await send({ query: '{ me { user } }' }, { caller })).code).toBe('PERSISTED_DOCUMENT_ID_REQUIRED')
  })

  it('receives nothing from a gateway without a registry', async () => {
    const { send } = await operationGateway({}, [], { operations: undefined } as never)
    expect((await send({ query: '{ me { user } }' })).code).toBe('PERSISTED_DOCUMENT_ID_REQUIRED')
    expect((await send(bodyWith('persistedQuery', 'x'))).code).toBe('PERSISTED_QUERY_NOT_IN_LIST')
    expect((await send('', { url: 'id=x' })).status).toBe(405)
    // a first-party client sends the text instead
    expect((await send(bodyWith('persistedQuery', 'x'), { caller: billing() })).code).toBe('PERSISTED_QUERY_NOT_SUPPORTED')
    expect((await send({ query: '{ me { user } }' }, { caller: billing() })).data).toEqual({ me: { user: 'user-1' } })
  })

  it('acts with the roles of the contract alone', async () => {
    const { send, operations } = await prepared({ name: 'narrowed', contract: { roles: new Set(['PARTNER' as Role]) } })
    const id = operations.register(ACME, '{ me { roles } }')
    const caller = { ...partner(), roles: new Set(['PARTNER', 'BILLING'] as Role[]) }
    expect((await send({ id }, { caller })).data).toEqual({ me: { roles: ['PARTNER'] } })
  })

  it('comes from a network of the contract, also by an IPv4 address within IPv6', async () => {
    const { send, id } = await prepared({ name: 'networks' })
    for (const sourceIp of ['192.0.2.255', '::ffff:192.0.2.1', '::ffff:c000:201', '2001:db8:1::1']) {
      expect((await send({ id, variables: VARIABLES }, { sourceIp })).data, sourceIp).toEqual({ person: null })
    }
    for (const sourceIp of [
      '192.0.3.0',
      '::ffff:192.0.3.1',
      '2001:db9::1',
      'fe80::1%eth0',
      '',
      'localhost',
      '192.0.2.7, 10.0.0.1',
    ]) {
      expect((await send({ id, variables: VARIABLES }, { sourceIp })).code, sourceIp).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
    }
  })

  it('is refused in the very millisecond in which the contract ends, and not before', async () => {
    const { send, operations, id } = await prepared({ name: 'end' })
    operations.admit(ACME, contract({ expiresAt: (NOW + 1) as Instant }))
    expect((await send({ id, variables: VARIABLES })).data).toEqual({ person: null })
    operations.admit(ACME, contract({ expiresAt: NOW }))
    expect((await send({ id, variables: VARIABLES })).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
  })

  it('is refused by a path that only an argument reads, and by a label of a field', async () => {
    const { send, operations } = await prepared({ name: 'reads' })
    const ids = [
      operations.register(ACME, 'query ($n: String) { people(name: $n) { mayBeIncomplete } }'),
      operations.register(ACME, 'query ($f: Filter) { people(filter: $f) { mayBeIncomplete } }'),
      operations.register(ACME, 'query ($id: ID!) { person(id: $id) { hiv } }'),
    ] as const
    const codes = async (): Promise<unknown[]> =>
      await Promise.all(ids.map(async (id) => (await send({ id, variables: VARIABLES })).code))
    expect(await codes()).toEqual([undefined, undefined, undefined])
    operations.admit(ACME, contract({ paths: without('Person.name') }))
    expect(await codes()).toEqual(['PERSISTED_DOCUMENT_NOT_FOUND', undefined, undefined])
    operations.admit(ACME, contract({ paths: without('Person.born') }))
    expect(await codes()).toEqual([undefined, 'PERSISTED_DOCUMENT_NOT_FOUND', undefined])
    operations.admit(ACME, contract({ sensitivities: new Set() }))
    expect(await codes()).toEqual([undefined, undefined, 'PERSISTED_DOCUMENT_NOT_FOUND'])
  })

  it('cannot change the text under a known id', async () => {
    const { send, operations, id } = await prepared({ name: 'changed' })
    const changed = QUERY.replace('name', 'name hiv')
    operations.register(ACME, '{ me { user } }')
    expect((await send({ documentId: id, query: changed })).code).toBe('PERSISTED_DOCUMENT_ID_REQUIRED')
    expect((await send({ documentId: sha256(changed), variables: VARIABLES })).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
    // another name of an operation selects nothing
    expect((await send({ documentId: id, operationName: 'Other', variables: VARIABLES })).code).toBe('OPERATION_RESOLUTION_FAILURE')
  })

  it.each([
    ['an alias', 'query ($id: ID!) { person(id: $id) { name: hiv } }'],
    ['a fragment', 'query ($id: ID!) { person(id: $id) { ...F } } fragment F on Person { hiv }'],
    ['an inline fragment', 'query ($id: ID!) { person(id: $id) { ... on Person { ... { hiv } } } }'],
    ['a condition', 'query ($id: ID!, $yes: Boolean!) { person(id: $id) { hiv @include(if: $yes) } }'],
    ['a condition with a default', 'query ($id: ID!, $yes: Boolean = false) { person(id: $id) { hiv @include(if: $yes) } }'],
  ])('cannot hide a path behind %s', async (_name, text) => {
    const { send, operations } = await prepared({ name: 'hidden', contract: { paths: without('Person.hiv') } })
    const id = operations.register(ACME, text)
    const variables = { ...VARIABLES, yes: false }
    expect((await send({ id, variables })).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
  })

  it.each<[string, string, object?]>([
    ['a literal', '{ people(first: 11) { mayBeIncomplete } }'],
    ['a variable', 'query ($n: Int) { people(first: $n) { mayBeIncomplete } }', { n: 11 }],
    ['the default of a variable', 'query ($n: Int = 11) { people(first: $n) { mayBeIncomplete } }'],
    ['the default of the argument', '{ people { mayBeIncomplete } }'],
    ['an alias', '{ people(first: 1) { mayBeIncomplete } more: people(first: 11) { mayBeIncomplete } }'],
    ['a list', '{ plans(first: 11) { name } }'],
  ])('has pages up to the limit of the contract: %s', async (_name, text, variables = {}) => {
    const { send, operations } = await prepared({ name: 'pages', contract: { maxPage: 10 } })
    const id = operations.register(ACME, text)
    const answer = await send({ id, variables })
    expect([answer.status, answer.code]).toEqual([400, 'OPERATION_TOO_COSTLY'])
    expect((await send({ id: operations.register(ACME, text.replaceAll('11', '10')), variables: { n: 10 } })).code).toBe(
      text.includes('11') || Object.keys(variables).length > 0 ? undefined : 'OPERATION_TOO_COSTLY',
    )
  })

  it('gets no refusal without its record', async () => {
    const { send, log } = await prepared({ name: 'unrecorded' })
    log.down = true
    for (const body of [{ query: QUERY }, { id: 'x' }, bodyWith('persistedQuery', 'x')]) {
      const answer = await send(body)
      expect([answer.status, answer.code]).toEqual([503, new AuditUnavailable().code])
    }
  })

  it('names its client only by its token', async () => {
    const { send, operations, id } = await prepared({ name: 'client' })
    operations.admit(OTHER, contract())
    const other = operations.register(OTHER, '{ me { user } }')
    const headers = { 'apollographql-client-name': 'other', 'x-client-id': 'other', 'client-id': 'other', client_id: 'other' }
    const body = { client: 'other', clientId: 'other', client_id: 'other' }
    const plain = await send({ id: other })
    expect(await send({ id: other, ...body }, { headers })).toMatchObject({ bytes: plain.bytes, status: 400, calls: ['byId'] })
    expect((await send({ id, variables: VARIABLES, ...body }, { headers })).data).toEqual({ person: null })
    expect(operations.calls).toEqual([['byId', id]])
  })
})

it('P10: an id that is no hash is recorded as its hash', async () => {
  const { send } = await prepared({ name: 'hash' })
  const answer = await send({ id: '999-62-6858' })
  expect(answer.context?.operationHash).toBe(sha256('999-62-6858'))
})

it('an operation that was answered is recorded with its contract, and as persisted', async () => {
  const { send, operations } = await prepared({ name: 'recorded' })
  const text = '{ people(name: "x") { mayBeIncomplete } person(id: "x") { name } }'
  const [id, own] = [operations.register(ACME, text, 'app:1'), contract()]
  const answer = await send({ id })
  expect(answer.status).toBe(200)
  expect(answer.context === undefined || answer.context.contract === own.digest).toBe(true)
})
