import { graphqlSync, type GraphQLResolveInfo, isObjectType } from 'graphql'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createShaper, pathBytes, type RecordShape } from '../../../gateway/operations/record-shape.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import { compile, connection, PHI } from '../../directives/clinic-fixture.ts'

const { schema, policy } = compile(`type Query { person(id: ID!): Person }
type Person @record(patient: "id") {
  id: ID! @notPhi(because: "for a test")
  label: String @notPhi(because: "for a test")
  name: String ${PHI}
  words: [String!] ${PHI}
  code: Concept ${PHI}
  codes: [Concept!] ${PHI}
  visits: VisitConnection ${PHI}
}
type Concept { coding: [Coding!] text: String }
type Coding { system: String code: String }
type Visit @record { id: ID! @notPhi(because: "for a test") reason: String ${PHI} }
${connection('Visit')}`)

/** The shapes of all records that execution reaches, by the field that leads to them. */
function shapesOf(query: string): Map<string, { shape: RecordShape; path: number }> {
  const shaper = createShaper(policy)
  const shapes = new Map<string, { shape: RecordShape; path: number }>()
  const visit = { edges: [{ node: {} }], pageInfo: {} }
  const person = {
    visits: (_args: unknown, _context: unknown, info: GraphQLResolveInfo) => {
      const type = schema.getType('Visit')
      if (isObjectType(type)) shapes.set('visits', { shape: shaper(info, type, ['edges', 'node']), path: pathBytes(info.path) })
      return visit
    },
  }
  const rootValue = {
    person: (_args: unknown, _context: unknown, info: GraphQLResolveInfo) => {
      const type = schema.getType('Person')
      if (isObjectType(type)) shapes.set('person', { shape: shaper(info, type), path: pathBytes(info.path) })
      return person
    },
  }
  graphqlSync({ schema, source: query, rootValue })
  return shapes
}

const valueOf = (query: string, path: string) =>
  shapesOf(query)
    .get('person')
    ?.shape.values.get(path as SchemaPath)

describe('the shape of a record in an answer', () => {
  it('has each value with its places, and the length of their paths', () => {
    const of = '{ p: person(id: "a") { name long: name code { text } } }'
    expect(valueOf(of, 'Person.name')).toEqual({ count: 2, pathBytes: 7 + 7, copies: 2, perByte: 0, once: 0 })
    expect(valueOf(of, 'Person.code')).toMatchObject({ count: 1, copies: 1, perByte: 0 })
    expect(shapesOf(of).get('person')?.path).toBe(3 + 4)
    expect(valueOf('{ person(id: "a") { ...F ... on Person { name } } } fragment F on Person { name }', 'Person.name')?.count).toBe(
      1,
    )
  })

  it('has the places of fields whose values are in the metadata', () => {
    expect(shapesOf('{ person(id: "a") { id label a: label } }').get('person')?.shape.open).toEqual(new Map([['label', 2]]))
  })

  it('has all places that aliases of edges and nodes lead to', () => {
    const query =
      '{ person(id: "a") { visits { a: edges { node { reason } } b: edges { x: node { reason } y: node { r: reason s: reason } } } } }'
    const shape = shapesOf(query).get('visits')?.shape
    expect(shape?.self.count).toBe(3)
    expect(shape?.values.get('Visit.reason' as SchemaPath)).toMatchObject({ count: 4, copies: 4 })
  })

  const text = fc.string({ maxLength: 8 })
  const coding = fc.record({ system: text, code: text }, { requiredKeys: [] }).filter((one) => Object.keys(one).length > 0)
  const concept = fc.record({ coding: fc.array(coding), text }, { requiredKeys: ['coding'] })
  const values = fc.record({ name: text, words: fc.array(text), code: concept, codes: fc.array(concept) })
  const selections = fc
    .array(
      fc.constantFrom(
        'name',
        'a: name',
        'words',
        'code { text }',
        'code { coding { system code } text }',
        'b: code { x: coding { a: code b: code } coding { system } __typename }',
        'codes { coding { code } text }',
        'c: codes { text t: text coding { long_name_of_a_system: system __typename } }',
      ),
      { minLength: 1 },
    )
    .map((fields) => `{ person(id: "a") { id label ${fields.join(' ')} } }`)

  it('bounds the length of the answer by the lengths of the stored values', () => {
    fc.assert(
      fc.property(values, text, selections, (stored, label, query) => {
        const { data, errors } = graphqlSync({
          schema,
          source: query,
          rootValue: { person: { id: 'x'.repeat(150), label, ...stored } },
        })
        if (errors !== undefined) return
        const shape = shapesOf(query).get('person')?.shape
        if (shape === undefined) throw new TypeError('no shape')
        let bound = shape.bytes + (shape.open.get('label') ?? 0) * JSON.stringify(label).length * 3
        for (const [path, { copies, perByte, once }] of shape.values) {
          const bytes = Buffer.byteLength(JSON.stringify((stored as Record<string, unknown>)[path.slice('Person.'.length)]))
          bound += bytes * (copies + perByte) + once
        }
        expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThanOrEqual(bound + '{"person":}'.length)
      }),
    )
  })
})
