import { type DocumentNode, parse } from 'graphql'
import { expect, it } from 'vitest'
import { documentBytes, DocumentStore } from '../../../gateway/operations/document-store.ts'

const documentAt = (place: number): DocumentNode => parse(`{ patient(id: "${place}") { gender familyName } }`)
const size = documentBytes(documentAt(0))

it('keeps what was asked for last, and no more than its bound', () => {
  const store = new DocumentStore(size * 10.5)
  for (let place = 0; place < 10; place++) store.set(`d${place}`, documentAt(place))
  expect(store.size).toBe(10)
  expect(store.get('d0')).toEqual(documentAt(0))
  store.set('another', documentAt(1))
  expect(store.size).toBe(10)
  expect(store.get('d1')).toBeUndefined()
  expect(store.get('d0')).toBeDefined()
  expect(store.get('another')).toBeDefined()
})

it('does not keep a document that alone is more than the bound, nor one that cannot be measured', () => {
  const store = new DocumentStore(size * 2)
  const large = parse(`{ ${Array.from({ length: 50 }, (_, at) => `p${at}: viewer { userId }`).join(' ')} }`)
  store.set('large', large)
  store.set('unplaced', parse('{ viewer { userId } }', { noLocation: true }))
  expect(store.size).toBe(0)
})

it('measures tokens and text, so that neither many short names nor one long text counts as small', () => {
  const dense = documentBytes(parse(`{ ${'a '.repeat(1_000)}}`))
  const long = documentBytes(parse(`{ a(b: "${'c'.repeat(100_000)}") }`))
  expect(dense).toBeGreaterThan(100 * 2_000)
  expect(long).toBeGreaterThan(100_000)
})
