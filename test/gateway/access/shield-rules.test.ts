import { execute, type GraphQLError, type GraphQLFieldResolver, type GraphQLSchema, isObjectType, parse } from 'graphql'
import { applyMiddleware } from 'graphql-middleware'
import { describe, expect, it } from 'vitest'
import { shieldRules } from '../../../gateway/access/shield-rules.ts'
import type { Caller, Denial } from '../../../gateway/model/decision.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'
import { compile, connection, GRANT, NOT_PHI, PHI } from '../../directives/clinic-fixture.ts'
import { callerWith } from '../decide/clinic-policy.ts'

const BILLS = '@minimumNecessary(roles: [BILLING], purposes: [HPAYMT], relationship: ORGANIZATION)'
const SDL = `type Query { person(id: ID!): Person bill(id: ID!): Bill anything(id: ID!): Thing me: Me }
interface Thing { id: ID! ${NOT_PHI} }
type Person implements Thing @record(patient: "id") {
  id: ID! ${NOT_PHI}
  name: String ${PHI}
  visits: VisitConnection @phi(category: CLINICAL) ${GRANT}
  claims: ClaimConnection @phi(category: FINANCIAL) @minimumNecessary(roles: [NURSE])
}
type Bill @record(patient: "id") { id: ID! ${NOT_PHI} amount: String @phi(category: FINANCIAL) ${BILLS} }
type Visit @record { id: ID! ${NOT_PHI} note: String ${PHI} bill: Bill }
type Claim @record { id: ID! ${NOT_PHI} sum: String @phi(category: FINANCIAL) ${BILLS} }
type Me { name: String! ${NOT_PHI} }
${connection('Visit')}
${connection('Claim').replace(/type PageInfo.*/s, '')}`
const { schema, policy } = compile(SDL)

interface Context {
  readonly caller?: Caller
  /** The denials, in order. */
  readonly denied: { coordinate: string; denial: Denial }[]
  readonly callerFails?: Error
}

const PHYSICIAN = callerWith(['PHYSICIAN'], 'TREAT')
const BILLING = callerWith(['BILLING'], 'HPAYMT')
const ADMIN = callerWith(['ADMIN'], 'HOPERAT')

/** The schema with these resolvers, and the rules around its roots and edges. */
function held(resolvers: Readonly<Record<string, GraphQLFieldResolver<unknown, Context>>> = {}): GraphQLSchema {
  const own = compile(SDL).schema
  const give: GraphQLFieldResolver<unknown, Context> = () => ({ __typename: 'Person', id: 'x', name: 'given', edges: [] })
  for (const [coordinate, kind] of policy.classes) {
    if (kind !== 'ROOT' && kind !== 'EDGE') continue
    const [typeName = '', field = ''] = coordinate.split('.')
    const type = own.getType(typeName)
    const target = isObjectType(type) ? type.getFields()[field] : undefined
    if (target !== undefined) target.resolve = resolvers[coordinate] ?? give
  }
  const rules = shieldRules<Context>(
    own,
    policy,
    ({ caller, callerFails }) => {
      if (callerFails !== undefined) throw callerFails
      return caller
    },
    (denial, coordinate, _source, _args, { denied }) => {
      denied.push({ coordinate, denial })
      return null
    },
  )
  return applyMiddleware(own, rules)
}

async function ask(query: string, context: Partial<Context> = { caller: PHYSICIAN }, within = held()) {
  const denied: Context['denied'] = []
  const { data, errors } = await execute({ schema: within, document: parse(query), contextValue: { denied, ...context } })
  return { data, errors: errors ?? [], denied: denied.map(({ coordinate, denial }) => `${coordinate} ${denial.reason}`) }
}

const causes = (errors: readonly GraphQLError[]) => errors.map(({ originalError }) => originalError)

describe('each root and edge has a rule, and no other field has one', () => {
  it('covers every root and edge of the schema', () => {
    const rules = shieldRules<Context>(
      schema,
      policy,
      ({ caller }) => caller,
      () => null,
    )
    expect(
      Object.entries(rules)
        .flatMap(([type, fields]) => Object.keys(fields).map((field) => `${type}.${field}`))
        .toSorted(),
    ).toEqual(
      [...policy.classes]
        .filter(([, kind]) => kind === 'ROOT' || kind === 'EDGE')
        .map(([coordinate]) => coordinate)
        .toSorted(),
    )
  })

  it('P3: role and purpose are decided before the resolver runs', async () => {
    let ran = 0
    const within = held({ 'Query.bill': () => (ran++, { id: 'b' }) })
    expect(await ask('{ bill(id: "1") { amount } }', { caller: PHYSICIAN }, within)).toMatchObject({
      data: { bill: null },
      errors: [],
      denied: ['Query.bill ROLE'],
    })
    expect(await ask('{ bill(id: "1") { amount } }', { caller: callerWith(['BILLING'], 'TREAT') }, within)).toMatchObject({
      denied: ['Query.bill PURPOSE'],
    })
    expect(ran).toBe(0)
    expect((await ask('{ bill(id: "1") { id } }', { caller: BILLING }, within)).data).toEqual({ bill: { id: 'b' } })
    expect(ran).toBe(1)
  })

  it('an edge has its own grants; an edge to one record and an interface have those of the target', async () => {
    const query = '{ person(id: "1") { id claims { mayBeIncomplete } } }'
    expect((await ask(query)).denied).toEqual(['Person.claims ROLE'])
    expect((await ask('{ anything(id: "1") { id } }', { caller: ADMIN })).denied).toEqual(['Query.anything ROLE'])
    expect((await ask('{ anything(id: "1") { id } }')).denied).toEqual([])
  })

  it('a root without a record needs only a caller', async () => {
    expect((await ask('{ me { name } }', { caller: ADMIN })).denied).toEqual([])
    expect((await ask('{ me { name } }', {})).denied).toEqual(['Query.me ROLE'])
  })

  it('P3: without a caller everything is denied', async () => {
    expect((await ask('{ person(id: "1") { id } bill(id: "1") { id } }', {})).denied).toEqual([
      'Query.person ROLE',
      'Query.bill ROLE',
    ])
  })
})

describe('P4: two fields never share the answer of a rule', () => {
  const PERSON = 'p: person(id: "1") { id }'
  const BILL = 'b: bill(id: "1") { id }'

  it.each([[`{ ${PERSON} ${BILL} }`], [`{ ${BILL} ${PERSON} }`], [`{ ${PERSON} again: person(id: "1") { id } ${BILL} }`]])(
    '%s',
    async (query) => {
      const physician = await ask(query, { caller: PHYSICIAN })
      expect(physician.denied).toEqual(['Query.bill ROLE'])
      expect(physician.data).toMatchObject({ p: { id: 'x' }, b: null })
      const billing = await ask(query, { caller: BILLING })
      expect(new Set(billing.denied)).toEqual(new Set(['Query.person ROLE']))
      expect(billing.data).toMatchObject({ p: null, b: { id: 'x' } })
    },
  )

  it('a response key that equals the name of another field changes nothing', async () => {
    expect((await ask('{ person: bill(id: "1") { id } bill: person(id: "1") { id } }')).data).toEqual({
      person: null,
      bill: { id: 'x' },
    })
  })

  it('two concurrent callers get their own answers from one schema', async () => {
    const within = held()
    const query = `{ ${PERSON} ${BILL} }`
    const [physician, billing] = await Promise.all([
      ask(query, { caller: PHYSICIAN }, within),
      ask(query, { caller: BILLING }, within),
    ])
    expect([physician.denied, billing.denied]).toEqual([['Query.bill ROLE'], ['Query.person ROLE']])
  })
})

describe('P9: a failure is no denial', () => {
  it('an error thrown inside a rule is passed on unchanged', async () => {
    const fault = new TypeError('inside the rule')
    const { data, errors, denied } = await ask('{ person(id: "1") { id } }', { caller: PHYSICIAN, callerFails: fault })
    expect(causes(errors)).toEqual([fault])
    expect(denied).toEqual([])
    expect(data).toEqual({ person: null })
  })

  it.each([
    [
      'throws',
      () => {
        throw new StoreUnavailable()
      },
    ],
    ['rejects', () => Promise.reject(new StoreUnavailable())],
  ])('a store that %s yields the error of the store', async (_how, resolver) => {
    const { errors, denied } = await ask('{ person(id: "1") { id } }', { caller: PHYSICIAN }, held({ 'Query.person': resolver }))
    expect(causes(errors)).toEqual([expect.any(StoreUnavailable)])
    expect(denied).toEqual([])
  })

  it('a null from a resolver is no denial', async () => {
    const { data, errors, denied } = await ask(
      '{ person(id: "1") { id } }',
      { caller: PHYSICIAN },
      held({ 'Query.person': () => null }),
    )
    expect({ data, errors, denied }).toEqual({ data: { person: null }, errors: [], denied: [] })
  })
})
