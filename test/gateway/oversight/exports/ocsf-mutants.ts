import type { OcsfSchema, OcsfShape } from './ocsf-validator.ts'
import type { Mutant } from './balp-mutants.ts'

type Node = Record<string, unknown>
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The event with one change that the schema forbids, for each rule of the schema that the event can break. */
export function ocsfMutantsOf(event: object, schema: OcsfSchema): readonly Mutant[] {
  return changesOf(event as Node, schema.event, schema, []).map(({ change, path, apply }) => {
    const copy = structuredClone(event) as Node
    apply(path.reduce<Node>((node, name) => nodeAt(node, name), copy))
    return { change: `${path.join('.')} ${change}`, event: copy }
  })
}

function nodeAt(node: Node, name: string): Node {
  const value = node[name]
  const one: unknown = Array.isArray(value) ? value[0] : value
  if (!isNode(one)) throw new Error(`no object ${name}`)
  return one
}

interface Change {
  readonly change: string
  readonly path: readonly string[]
  readonly apply: (node: Node) => void
}

function changesOf(
  node: Node,
  { attributes, atLeastOne }: OcsfShape,
  schema: OcsfSchema,
  path: readonly string[],
): readonly Change[] {
  const changes: Change[] = [
    { change: 'has an unknown attribute', path, apply: (at) => (at['unknown_attribute'] = 1) },
    ...(atLeastOne === undefined
      ? []
      : [{ change: `has none of ${atLeastOne.join()}`, path, apply: (at: Node) => removeAll(at, atLeastOne) }]),
  ]
  for (const [name, { type, required, enum: captions, sibling, array }] of Object.entries(attributes)) {
    const value = node[name]
    if (value === undefined) continue
    if (required === true) changes.push({ change: `lacks ${name}`, path, apply: (at) => removeAll(at, [name]) })
    if (type !== 'object') changes.push({ change: `${name} has another type`, path, apply: (at) => (at[name] = [[]]) })
    if (captions !== undefined) changes.push({ change: `${name} is no value`, path, apply: (at) => (at[name] = 77) })
    if (captions !== undefined && sibling !== undefined && value !== 99)
      changes.push({ change: `${sibling} is no caption`, path, apply: (at) => (at[sibling] = 'another caption') })
    // anything goes in `object`
    const shape = type !== 'object' && Object.hasOwn(schema.objects, type) ? schema.objects[type] : undefined
    const first: unknown = array === true && Array.isArray(value) ? value[0] : value
    if (shape !== undefined && isNode(first)) changes.push(...changesOf(first, shape, schema, [...path, name]))
  }
  return changes
}

function removeAll(node: Node, names: readonly string[]): void {
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the names are those of the schema
  for (const name of names) delete node[name]
}
