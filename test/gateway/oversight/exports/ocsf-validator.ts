/** An attribute of the schema, with all that it inherits. */
export interface OcsfAttribute {
  /** A name of a type, or of an object. */
  readonly type: string
  readonly required?: true
  readonly array?: true
  /** The captions by value. */
  readonly enum?: Readonly<Record<string, string>>
  /** The attribute with the caption of the value. */
  readonly sibling?: string
}

export interface OcsfShape {
  readonly attributes: Readonly<Record<string, OcsfAttribute>>
  readonly atLeastOne?: readonly string[]
}

export interface OcsfType {
  readonly base: 'string_t' | 'integer_t' | 'long_t' | 'float_t' | 'boolean_t' | 'json_t'
  readonly regex?: string
  readonly maxLength?: number
}

export interface OcsfSchema {
  readonly version: string
  /** Category * 1000 + the number of the class. */
  readonly classUid: number
  readonly event: OcsfShape
  readonly objects: Readonly<Record<string, OcsfShape>>
  readonly types: Readonly<Record<string, OcsfType>>
}

type Node = Readonly<Record<string, unknown>>
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)

/** @returns a text for each fault; empty for a valid event */
export function ocsfFaults(event: unknown, schema: OcsfSchema): readonly string[] {
  if (!isNode(event)) return ['no object']
  const { class_uid: classUid, category_uid: category, type_uid: type, activity_id: activity, metadata } = event
  const faults = [...shapeFaults(event, schema.event, schema, 'event')]
  if (classUid !== schema.classUid) faults.push('class_uid is not that of the class')
  if (category !== Math.floor(schema.classUid / 1000)) faults.push('category_uid is not that of the class')
  if (type !== schema.classUid * 100 + Number(activity)) faults.push('type_uid does not follow from class and activity')
  if (!isNode(metadata) || metadata['version'] !== schema.version) faults.push('metadata.version is another one')
  return faults
}

function shapeFaults(node: Node, { attributes, atLeastOne }: OcsfShape, schema: OcsfSchema, path: string): readonly string[] {
  const faults = Object.entries(node).flatMap(([name, value]) => {
    const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined
    if (attribute === undefined) return [`${path}.${name} is not in the schema`]
    return [...attributeFaults(value, attribute, schema, `${path}.${name}`), ...enumFaults(node, name, attribute, path)]
  })
  for (const [name, { required }] of Object.entries(attributes))
    if (required === true && node[name] === undefined) faults.push(`${path}.${name} is missing`)
  if (atLeastOne !== undefined && !atLeastOne.some((name) => node[name] !== undefined))
    faults.push(`${path} has none of ${atLeastOne.join(', ')}`)
  return faults
}

function attributeFaults(value: unknown, attribute: OcsfAttribute, schema: OcsfSchema, path: string): readonly string[] {
  if (attribute.array !== true) return valueFaults(value, attribute, schema, path)
  if (!Array.isArray(value)) return [`${path} is no list`]
  return value.flatMap((one, at) => valueFaults(one, attribute, schema, `${path}[${String(at)}]`))
}

function valueFaults(value: unknown, { type }: OcsfAttribute, schema: OcsfSchema, path: string): readonly string[] {
  const simple = Object.hasOwn(schema.types, type) ? schema.types[type] : undefined
  if (simple !== undefined) return isOfType(value, simple) ? [] : [`${path} is no ${type}`]
  if (!isNode(value)) return [`${path} is no ${type}`]
  // `object` has no attributes of its own: anything goes
  if (type === 'object') return []
  const shape = Object.hasOwn(schema.objects, type) ? schema.objects[type] : undefined
  return shape === undefined ? [`${path}: there is no object ${type}`] : shapeFaults(value, shape, schema, path)
}

function isOfType(value: unknown, { base, regex, maxLength }: OcsfType): boolean {
  switch (base) {
    case 'string_t':
      if (typeof value !== 'string' || value.length > (maxLength ?? Number.POSITIVE_INFINITY)) return false
      return regex === undefined || new RegExp(regex).test(value)
    case 'integer_t':
      return Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31
    case 'long_t':
      return Number.isSafeInteger(value)
    case 'float_t':
      return typeof value === 'number'
    case 'boolean_t':
      return typeof value === 'boolean'
    case 'json_t':
      return value !== undefined
    default:
      return base satisfies never
  }
}

/** A value of an enumeration, and the caption beside it. With 99 (Other), the caption is a label of the source. */
function enumFaults(node: Node, name: string, { enum: captions, sibling }: OcsfAttribute, path: string): readonly string[] {
  if (captions === undefined) return []
  const value = String(node[name])
  if (!Object.hasOwn(captions, value)) return [`${path}.${name} has no value of the schema`]
  const beside = sibling === undefined ? undefined : node[sibling]
  if (value === '99') return typeof beside === 'string' && beside !== '' ? [] : [`${path}.${name} needs a label`]
  return beside === undefined || beside === captions[value] ? [] : [`${path}.${String(sibling)} is not the caption`]
}
