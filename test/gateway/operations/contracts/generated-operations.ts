import { getNamedType, isLeafType, isObjectType, type GraphQLObjectType, type GraphQLSchema } from 'graphql'
import type { ManifestOperation } from '../../../../gateway/operations/persisted/manifest.ts'

/** Fields of a patient in one operation. */
const FIELDS = 8

/** Whether operations may select a field. */
type Selectable = (coordinate: string) => boolean

/**
 * Valid operations on one patient, each with another text: some values of the patient, and two pages of records with some values each.
 * Each call gives the same
 * operations.
 */
export function generatedOperations(
  schema: GraphQLSchema,
  count: number,
  selectable: Selectable = () => true,
): readonly ManifestOperation[] {
  const random = generator(1)
  const patient = schema.getType('Patient')
  if (!isObjectType(patient)) throw new TypeError('The schema has no patients.')
  const fields = Object.values(patient.getFields()).filter(({ name }) => selectable(`Patient.${name}`))
  const leaves = fields.filter(({ type }) => isLeafType(getNamedType(type))).map(({ name }) => name)
  const lists = fields.filter(({ name, type }) => name !== 'history' && getNamedType(type).name.endsWith('Connection'))
  return Array.from({ length: count }, (_, place) => {
    const values = some(leaves, FIELDS, random).join(' ')
    const pages = some(lists, 2, random).map((field) => {
      const node = schema.getType(getNamedType(field.type).name.replace(/Connection$/, ''))
      return `${field.name}(first: ${10 + Math.floor(random() * 10)}) { edges { node { id ${valuesOf(node as GraphQLObjectType, selectable, random)} } } }`
    })
    const name = `Generated${place}`
    return { id: `${place}`, name, text: `query ${name}($id: ID!) { patient(id: $id) { id ${values} ${pages.join(' ')} } }` }
  })
}

function valuesOf(type: GraphQLObjectType, selectable: Selectable, random: () => number): string {
  const leaves = Object.values(type.getFields()).filter(
    ({ name, type: of }) => isLeafType(getNamedType(of)) && selectable(`${type.name}.${name}`),
  )
  return some(
    leaves.map(({ name }) => name),
    4,
    random,
  ).join(' ')
}

function some<Item>(items: readonly Item[], count: number, random: () => number): readonly Item[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, count)
    .map(({ item }) => item)
}

/** Mulberry32: a small generator of numbers in [0, 1). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
