import fc from 'fast-check'
import { parse, print } from 'graphql'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { describe, expect, it } from 'vitest'
import { footprint } from '../../../../gateway/operations/footprint.ts'
import { documentHash } from '../../../../gateway/operations/persisted/document-hash.ts'
import { PreparedDocument } from '../../../../gateway/operations/persisted/prepared-document.ts'
import { newPreparationCounter } from '../../../../gateway/operations/persisted/preparation-counter.ts'
import { ACME, billing, contract, operationGateway, partner, policy, schema } from './operation-gateway.ts'

const QUERY = `query Read($id: ID!, $deep: Boolean = false, $n: String) {
  person(id: $id) { name age @include(if: $deep) }
  people(name: $n) { mayBeIncomplete }
}`

/** The texts that are hashed during some work, by any code of this process. */
async function hashedDuring(work: () => Promise<unknown>): Promise<string[]> {
  const genuine = crypto.createHash
  const texts: string[] = []
  crypto.createHash = (...args: Parameters<typeof genuine>) => {
    const hash = genuine(...args)
    const update = hash.update.bind(hash)
    hash.update = (data: string | NodeJS.ArrayBufferView): typeof hash => {
      texts.push(typeof data === 'string' ? data : 'bytes')
      update(data)
      return hash
    }
    return hash
  }
  syncBuiltinESMExports()
  try {
    await work()
    return texts
  } finally {
    crypto.createHash = genuine
    syncBuiltinESMExports()
  }
}

describe('a warm request', () => {
  it('by id parses, validates, measures and hashes nothing', async () => {
    const { gateway, send, operations } = await operationGateway()
    operations.admit(ACME, contract())
    const id = operations.register(ACME, QUERY)
    const ask = async (caller = partner()) => {
      const answer = await send({ id, variables: { id: 'x', deep: true } }, { caller })
      expect([answer.status, answer.calls]).toEqual([200, ['byId']])
    }
    await ask()
    const cold = { ...gateway.preparations }
    expect(cold).toEqual({ parses: 1, validations: 1, footprints: 2, hashes: 2 })
    const texts = await hashedDuring(async () => {
      for (let time = 0; time < 5; time++) await ask()
    })
    expect(gateway.preparations).toEqual(cold)
    expect(texts.filter((text) => text.includes('person(id:'))).toEqual([])
    // the process would see a hash of the text
    expect(await hashedDuring(() => send({ query: QUERY }, { caller: billing() }))).toContain(QUERY)
  })

  it('by text only hashes the text, once', async () => {
    const { gateway, send } = await operationGateway()
    const ask = () => send({ query: QUERY, variables: { id: 'x' } }, { caller: billing() })
    await ask()
    const cold = { ...gateway.preparations }
    expect((await hashedDuring(ask)).filter((text) => text.includes('person(id:'))).toEqual([QUERY])
    expect(gateway.preparations).toEqual({ ...cold, hashes: cold.hashes + 1 })
  })

  it('compares an operation again after a change of the contract', async () => {
    const { gateway, send, operations } = await operationGateway()
    const id = operations.register(ACME, QUERY)
    operations.admit(ACME, contract())
    await send({ id, variables: { id: 'x' } })
    const { footprints } = gateway.preparations
    operations.admit(ACME, contract({ paths: new Set() }))
    expect((await send({ id, variables: { id: 'x' } })).code).toBe('PERSISTED_DOCUMENT_NOT_FOUND')
    expect(gateway.preparations.footprints).toBe(footprints)
  })
})

describe('a remembered footprint', () => {
  it('equals a computed one, for any variables', () => {
    const counter = newPreparationCounter()
    const document = parse(QUERY)
    const prepared = new PreparedDocument(document, QUERY, { schema, policy, counter })
    const value = fc.constantFrom(true, false, null, 'x', 1, {})
    const variables = fc.record({ id: value, deep: value, n: value }, { requiredKeys: [] })
    fc.assert(
      fc.property(variables, (given) => {
        const { paths, reads, roots, coordinates } = footprint(schema, policy, document, undefined, given)
        expect(prepared.footprint(undefined, given)).toMatchObject({ paths, reads, roots, coordinates })
      }),
      { numRuns: 300 },
    )
    // three values of the condition, and two arguments that are given or not
    expect(counter.footprints).toBeLessThanOrEqual(12)
  })

  it('is of one operation of the document', () => {
    const text = 'query A { people { mayBeIncomplete } } query B { me { user } }'
    const prepared = new PreparedDocument(parse(text), text, { schema, policy, counter: newPreparationCounter() })
    expect([...prepared.footprint('A', {}).roots]).toEqual(['Query.people'])
    expect([...prepared.footprint('B', {}).roots]).toEqual(['Query.me'])
    expect(prepared.isWithin(contract())).toBe(false)
  })
})

describe('the canonical hash of a document', () => {
  const hash = (text: string): string => documentHash(parse(text))

  it('is the SHA-256 of the printed definitions, sorted', () => {
    const printed = ['fragment F on Me {\n  user\n}', 'query A {\n  me {\n    ...F\n  }\n}']
    expect(hash('query A { me { ...F } } fragment F on Me { user }')).toBe(
      crypto.createHash('sha256').update(printed.join('\n\n')).digest('hex'),
    )
  })

  it('does not change with order, white space, comments or descriptions', () => {
    const text = 'query A($id: ID!) { person(id: $id) { ...F } } fragment F on Person { name }'
    const same = [
      print(parse(text)),
      'fragment F on Person { name } query A($id: ID!) { person(id: $id) { ...F } }',
      '"""text""" query A("of a variable" $id: ID!) { # comment\n person(id: $id) { ...F, } } "x" fragment F on Person { name }',
    ]
    for (const other of same) expect(hash(other)).toBe(hash(text))
  })

  it.each([
    '{ me { user roles } }',
    '{ me { roles user } }',
    '{ me { user: roles } }',
    '{ me { user } } fragment F on Me { user }',
    'query A { me { user } }',
    'query ($n: Int) { me { user } }',
  ])('is another one for %s', (text) => {
    expect(hash(text)).not.toBe(hash('{ me { user } }'))
  })
})
