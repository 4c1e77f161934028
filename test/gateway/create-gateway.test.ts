import { describe, expect, it } from 'vitest'
import type { Identity } from '../../gateway/access/identity.ts'
import { PolicyFaults } from '../../directives/fault.ts'
import type { Resolvers } from '../../gateway/mutations/gateway-context.ts'
import { mutationResolvers } from '../../gateway/mutations/mutation-resolvers.ts'
import { SchemaRefused } from '../../gateway/schema-refused.ts'
import type { GatewayParts } from '../../gateway/gateway-parts.ts'
import { UnprotectedField } from '../../gateway/executable-schema.ts'
import { AuditUnavailable, MfaRequired, StoreUnavailable, Unauthenticated } from '../../gateway/model/failures.ts'
import type { Relationship } from '../../directives/policy.ts'
import { callerWith, clinic } from './decide/clinic-policy.ts'
import { compile, NOT_PHI, PHI, sdl } from '../directives/clinic-fixture.ts'
import { bodyOf, gatewayOver } from './stand-ins.ts'

const nobody = { periods: () => Promise.resolve(new Map()), panel: () => Promise.resolve([]) }
const relationships: GatewayParts['relationships'] = new Map([
  ['CARE_TEAM' as Relationship, nobody],
  ['ORGANIZATION' as Relationship, nobody],
])
const PERSON = sdl(
  `id: ID! ${NOT_PHI}
name: String ${PHI}`,
  `extend type Query { me: Me }
type Me { user: String! ${NOT_PHI} }`,
)
const resolvers: Resolvers = {
  Query: { person: () => null, me: (_source, _args, { scope }) => ({ user: scope.caller.user }) },
}
const start = (parts: Partial<GatewayParts> = {}, text = PERSON) => gatewayOver(text, { relationships, resolvers, ...parts })

describe('P3: an unreviewed schema is not served', () => {
  it('starts over a schema with its lock', async () => {
    await expect(start()).resolves.toBeDefined()
  })

  it.each<[string, string]>([
    ['none', ''],
    ['one character less', compile(PERSON).lock.slice(0, -1)],
    ['a wider one', compile(PERSON.replace('[PHYSICIAN]', '[PHYSICIAN, NURSE]')).lock],
    ['the clinic’s', clinic.lock],
  ])('refuses a lock that differs: %s', async (_what, lock) => {
    await expect(start({ lock })).rejects.toThrow(SchemaRefused)
  })

  it('refuses a view that it cannot serve', async () => {
    for (const view of ['PRESENCE']) {
      const text = PERSON.replace('(roles: [PHYSICIAN])', `(roles: [PHYSICIAN], view: ${view})`)
      await expect(start({}, text)).rejects.toThrow(new SchemaRefused('Person.name: a view that is not served'))
    }
  })

  it('refuses a relationship without a source, and a root without a resolver', async () => {
    await expect(start({ relationships: new Map() })).rejects.toThrow(PolicyFaults)
    await expect(start({ resolvers: {} })).rejects.toThrow(UnprotectedField)
  })
})

describe('C30: a signing root is served only for records that somebody may change', () => {
  const signing = (grant: string, returns = 'Note') =>
    `${PERSON} type Note @record { id: ID! ${NOT_PHI} text: String ${PHI} ${grant} }
extend type Query { note: Note }
type Mutation { signDocument(id: ID!, expectedVersion: Int!): ${returns} @mayCall(roles: [PHYSICIAN]) }`
  const grant = '@minimumNecessary(roles: [PHYSICIAN], actions: [CREATE, UPDATE])'
  const query = { ...resolvers['Query'], note: () => null }
  const ours = { Query: query, Mutation: { signDocument: mutationResolvers.signDocument } }

  it('starts if a grant lets somebody change the records', async () => {
    await expect(start({ resolvers: ours }, signing(grant))).resolves.toBeDefined()
  })

  it.each([
    ['that nobody may change', signing(''), /^Mutation\.signDocument: nobody may change Note.*actions/],
    ['that is no record', signing(grant, 'Me'), /^Mutation\.signDocument: Me is not a type with @record/],
  ])('does not start with a type %s', async (_what, text, message) => {
    await expect(start({ resolvers: ours }, text)).rejects.toThrow(message)
    await expect(start({ resolvers: ours }, text)).rejects.toBeInstanceOf(SchemaRefused)
  })

  it('leaves a root with a resolver of the deployment alone', async () => {
    const own = { Query: query, Mutation: { signDocument: () => null } }
    await expect(start({ resolvers: own }, signing(''))).resolves.toBeDefined()
  })
})

describe('P3: a computed field is served only by its declared function', () => {
  const COMPUTED = sdl(
    `id: ID! ${NOT_PHI}
born: String ${PHI}
age: Int ${PHI} @computed(from: ["Person.born"])
twice: Int ${PHI} @computed(from: ["Person.born", "Person.born"])`,
  )
  const functions = { 'Person.age': () => 1, 'Person.twice': () => 2 }
  const root = { resolvers: { Query: { person: () => null } } }
  const other = `type Visit @record { id: ID! ${NOT_PHI} note: String ${PHI} }`

  it('starts when each field has its function', async () => {
    await expect(start({ ...root, computed: functions }, COMPUTED)).resolves.toBeDefined()
  })

  it.each<[string, string, GatewayParts['computed'], string]>([
    ['no functions at all', COMPUTED, undefined, 'Person.age: no function is given for the @computed field'],
    ['a field without', COMPUTED, { 'Person.age': () => 1 }, 'Person.twice: no function is given for the @computed field'],
    [
      'a function for a stored field',
      COMPUTED,
      { ...functions, 'Person.born': () => 1 },
      'Person.born: a function is given for what is no @computed field',
    ],
    [
      'a function for no field',
      COMPUTED,
      { ...functions, 'Person.toString': () => 1 },
      'Person.toString: a function is given for what is no @computed field',
    ],
    [
      'an input on another record',
      COMPUTED.replace('["Person.born"]', '["Visit.note"]') + other,
      functions,
      'Person.age: is computed from Visit.note, which is a value of another record',
    ],
    [
      'an input that is computed itself',
      COMPUTED.replace('["Person.born"]', '["Person.twice"]'),
      functions,
      'Person.age: is computed from Person.twice, which is computed itself',
    ],
    [
      'an argument that reads a computed field',
      `${COMPUTED} extend type Query { people(age: Int @reads(field: "Person.age")): Person }`,
      functions,
      'Query.people(age:): an argument cannot read a @computed field',
    ],
  ])('does not start with %s', async (_what, text, computed, message) => {
    await expect(start({ ...root, ...(computed && { computed }) }, text)).rejects.toThrow(new SchemaRefused(message))
  })

  it('names its inputs in the lock', () => {
    expect(compile(COMPUTED).lock).toMatch(/^phi Person\.age .* at=Person\.age computed=Person\.born$/m)
    expect(compile(COMPUTED).lock).not.toBe(compile(COMPUTED.replace(' @computed(from: ["Person.born"])', '')).lock)
  })
})

describe('P3: a view without the value that it depends on', () => {
  const zip = (more: string): string =>
    sdl(`zip: String @phi(category: CONTACT) @minimumNecessary(roles: [NURSE, PHYSICIAN], view: ZIP3)\n${more}`)
  const root = { resolvers: { Query: { person: () => null } } }
  const country = (grant: string): string => zip(`country: String @phi(category: CONTACT) ${grant}`)

  it('starts if the same callers read that value in full', async () => {
    await expect(start(root, country('@minimumNecessary(roles: [NURSE, PHYSICIAN])'))).resolves.toBeDefined()
  })

  it.each([
    ['no such value', zip(''), 'Person.zip: the view ZIP3 needs the value country of the same object'],
    [
      'such a value that is not PHI',
      zip(`country: String ${NOT_PHI}`),
      'Person.zip: the view ZIP3 needs the value country of the same object',
    ],
    [
      'such a value that other roles read',
      country('@minimumNecessary(roles: [PHYSICIAN])'),
      'Person.zip: the view ZIP3 needs FULL on Person.country for NURSE as well',
    ],
    [
      'such a value for another purpose',
      country('@minimumNecessary(roles: [NURSE, PHYSICIAN], purposes: [TREAT])'),
      'Person.zip: the view ZIP3 needs FULL on Person.country for NURSE as well',
    ],
    [
      'such a value in a view',
      country('@minimumNecessary(roles: [NURSE, PHYSICIAN], view: LAST4)'),
      'Person.zip: the view ZIP3 needs FULL on Person.country for NURSE as well',
    ],
  ])('does not start with %s', async (_what, text, message) => {
    await expect(start(root, text)).rejects.toThrow(new SchemaRefused(message))
  })
})

describe('P3: an unregistered source', () => {
  it('does not start', async () => {
    await expect(start({ sources: new Map() })).rejects.toThrow(new SchemaRefused('Person: no source is registered as dynamodb'))
  })
})

describe('an answer', () => {
  it('has its request id and a receipt, and is not cached', async () => {
    const { post, events } = await start()
    const answer = await post('{ me { user } }')
    expect(answer.status).toBe(200)
    expect(answer.headers['cache-control']).toBe('no-store')
    const { data, extensions } = bodyOf(answer)
    expect(data).toEqual({ me: { user: 'user-1' } })
    expect(extensions.phi).toEqual({
      requestId: expect.stringMatching(/^[\w-]{24}$/) as string,
      resolved: 0,
      masked: [],
      denied: 0,
      receipt: expect.stringMatching(/^[\w-]{43}$/) as string,
    })
    expect(events).toMatchObject([{ event: 'REQUEST', status: 200 }])
  })

  it.each<[string, Partial<GatewayParts>, string, number, string]>([
    ['no caller', { identity: failing(new Unauthenticated()) }, '{ me { user } }', 401, 'UNAUTHENTICATED'],
    ['no second factor', { identity: failing(new MfaRequired()) }, '{ me { user } }', 401, 'MFA_REQUIRED'],
    ['a fault of the identity', { identity: failing(new TypeError('secret 999-62-6858')) }, '{ me { user } }', 500, 'INTERNAL'],
    ['no GraphQL', {}, '{ secret', 400, 'GRAPHQL_PARSE_FAILED'],
    ['no such field', {}, '{ secret }', 400, 'GRAPHQL_VALIDATION_FAILED'],
  ])('P8: to %s is a code, without data and without an echo', async (_what, parts, query, status, code) => {
    const { post, log } = await start(parts)
    const answer = await post(query)
    expect(answer.status).toBe(status)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(bodyOf(answer)).not.toHaveProperty('data')
    expect(bodyOf(answer).errors?.map(({ extensions }) => extensions['code'])).toEqual([code])
    expect(answer.body).not.toContain('secret')
    expect(log.records).toEqual([])
  })

  it('to a method other than POST is 405, to a body that is no JSON 400', async () => {
    const { gateway } = await start()
    const request = { headers: { 'content-type': 'application/json' }, body: '{"query":"{ me { user } }"}' }
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD']) {
      const { status, headers } = await gateway.handle({ ...request, method })
      expect([status, headers['allow']]).toEqual([405, 'POST'])
    }
    for (const body of ['', '{', '[]', '{"query":5}', `{"query":"${'#'.repeat(300_000)}"}`]) {
      const answer = await gateway.handle({ ...request, method: 'POST', body })
      expect([answer.status, bodyOf(answer).errors?.[0]?.extensions['code']]).toEqual([400, 'BAD_REQUEST'])
    }
  })
})

describe('a root that role and purpose close', () => {
  const asAdmin: Partial<GatewayParts> = {
    identity: () => ({ callerOf: () => Promise.resolve(callerWith(['ADMIN'], 'HOPERAT')) }),
  }

  it('P9: is null with one entry, and recorded once', async () => {
    const { post, log } = await start(asAdmin)
    const { data, errors, extensions } = bodyOf(await post('{ person(id: "x") { name } }'))
    expect(data).toEqual({ person: null })
    expect(errors).toMatchObject([
      {
        extensions: {
          code: 'UNAUTHORIZED_FIELD_OR_TYPE',
          coordinate: 'Query.person',
          reason: 'ROLE',
          count: 1,
          paths: [['person']],
        },
      },
    ])
    expect(extensions.phi).toMatchObject({ denied: 1, resolved: 0 })
    expect(log.records).toMatchObject([{ path: 'Query.person', outcome: 'DENIED', reason: 'ROLE' }])
  })

  it('P2: if the audit is unavailable, nothing is answered, not even the denial', async () => {
    const { post, log } = await start(asAdmin)
    log.down = true
    const answer = await post('{ me { user } person(id: "x") { name } }')
    expect(answer.status).toBe(503)
    expect(bodyOf(answer)).toEqual({
      errors: [{ message: expect.any(String) as string, extensions: { code: new AuditUnavailable().code } }],
      extensions: { phi: { requestId: expect.any(String) as string } },
    })
  })
})

describe('P9: a failing store is no denial', () => {
  it('the field is unavailable', async () => {
    const { post } = await start({
      resolvers: {
        Query: { ...resolvers['Query'], person: () => Promise.reject(new StoreUnavailable({ cause: new Error('secret') })) },
      },
    })
    const answer = await post('{ person(id: "x") { name } }')
    const { data, errors } = bodyOf(answer)
    expect(data).toEqual({ person: null })
    expect(errors?.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_UNAVAILABLE'])
    expect(answer.body).not.toContain('secret')
  })

  it('a fault of the gateway fails the whole request, and operators get only its class', async () => {
    const { post, events } = await start({
      resolvers: { Query: { ...resolvers['Query'], person: () => Promise.reject(new RangeError('999-62-6858')) } },
    })
    const answer = await post('{ me { user } person(id: "x") { name } }')
    expect(answer.status).toBe(500)
    expect(bodyOf(answer)).not.toHaveProperty('data')
    expect(events).toMatchObject([{ event: 'INTERNAL', cause: 'RangeError' }, { event: 'REQUEST' }])
    expect(JSON.stringify([answer.body, events])).not.toContain('999-62-6858')
  })

  it('P1: a leaf without a record loader discloses nothing', async () => {
    const { post } = await start({ resolvers: { Query: { ...resolvers['Query'], person: () => ({ id: 'x', name: 'Anna' }) } } })
    const answer = await post('{ person(id: "x") { name } }')
    expect(answer.status).toBe(500)
    expect(answer.body).not.toContain('Anna')
  })
})

function failing(error: Error): () => Identity {
  return () => ({ callerOf: () => Promise.reject(error) })
}
