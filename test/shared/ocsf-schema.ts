import type { OcsfAttribute, OcsfSchema, OcsfShape, OcsfType } from '../gateway/oversight/exports/ocsf-validator.ts'

/** An attribute as a file has it. */
interface RawAttribute {
  readonly type?: string
  readonly requirement?: string
  readonly is_array?: boolean
  readonly profile?: string | null
  readonly sibling?: string
  readonly enum?: Readonly<Record<string, { readonly caption: string }>>
}

interface RawShape {
  readonly extends?: string
  readonly uid?: number
  readonly attributes: Readonly<Record<string, RawAttribute>>
  readonly constraints?: { readonly at_least_one?: readonly string[] }
}

interface RawType {
  readonly type?: string
  readonly regex?: string
  readonly max_len?: number
}

interface Dictionary {
  readonly attributes: Readonly<Record<string, RawAttribute>>
  readonly types: { readonly attributes: Readonly<Record<string, RawType>> }
}

/** The category `application`. The folder has no list of categories. */
const APPLICATION = 6

/**
 * The class `datastore_activity` with all that it inherits, and the objects that it leads to. An event claims no profile of OCSF, so the
 * attributes of profiles are left out.
 *
 * @param read the JSON of a file
 */
export function readOcsf(read: (file: string) => unknown): OcsfSchema {
  // the files are those of OCSF, in the forms above
  const dictionary = read('dictionary.json') as Dictionary
  const { version } = read('version.json') as { readonly version: string }
  const classFile = read('events/application/datastore_activity.json') as RawShape
  const parents = [read('events/base_event.json'), read('events/application/application.json')] as RawShape[]
  const event = withoutNumbers(resolved([...parents, classFile], dictionary))

  const objects: Record<string, OcsfShape> = {}
  const add = (shape: OcsfShape): void => {
    for (const { type } of Object.values(shape.attributes)) {
      if (Object.hasOwn(dictionary.types.attributes, type) || Object.hasOwn(objects, type)) continue
      const found = resolved(ancestry(type, read), dictionary)
      objects[type] = found
      add(found)
    }
  }
  add(event)
  const types = Object.fromEntries(Object.entries(dictionary.types.attributes).map(([name, raw]) => [name, typeOf(name, raw)]))
  return { version, classUid: APPLICATION * 1_000 + (classFile.uid ?? 0), event, objects, types }
}

/** OCSF computes these values from the numbers of the category and the class. The files have the values of the base event. */
const COMPUTED: ReadonlySet<string> = new Set(['category_uid', 'class_uid', 'type_uid'])

function withoutNumbers({ attributes, ...rest }: OcsfShape): OcsfShape {
  const changed = Object.entries(attributes).map(([name, { enum: values, sibling, ...attribute }]) => {
    const captions = { ...(values !== undefined && { enum: values }), ...(sibling !== undefined && { sibling }) }
    return [name, COMPUTED.has(name) ? attribute : { ...attribute, ...captions }] as const
  })
  return { ...rest, attributes: Object.fromEntries(changed) }
}

/** The files of an object, from its oldest ancestor. */
function ancestry(name: string, read: (file: string) => unknown): readonly RawShape[] {
  const raw = read(`objects/${name}.json`) as RawShape
  return [...(raw.extends === undefined ? [] : ancestry(raw.extends, read)), raw]
}

function resolved(files: readonly RawShape[], { attributes: dictionary }: Dictionary): OcsfShape {
  const merged: Record<string, RawAttribute> = {}
  for (const { attributes } of files)
    for (const [name, own] of Object.entries(attributes)) {
      // `profile: null` takes the attribute out of its profile
      if (name === '$include' || typeof own.profile === 'string') continue
      const before = merged[name] ?? dictionary[name]
      merged[name] = { ...before, ...own, ...((before?.enum ?? own.enum) && { enum: { ...before?.enum, ...own.enum } }) }
    }
  const atLeastOne = files.findLast(({ constraints }) => constraints?.at_least_one !== undefined)?.constraints?.at_least_one
  return {
    attributes: Object.fromEntries(Object.entries(merged).map(([name, raw]) => [name, attributeOf(raw)])),
    ...(atLeastOne !== undefined && { atLeastOne }),
  }
}

function attributeOf({ type = 'string_t', requirement, is_array: isArray, enum: values, sibling }: RawAttribute): OcsfAttribute {
  const captions = values && Object.fromEntries(Object.entries(values).map(([value, { caption }]) => [value, caption]))
  return {
    type,
    ...(requirement === 'required' && { required: true }),
    ...(isArray === true && { array: true }),
    ...(captions !== undefined && { enum: captions }),
    ...(captions !== undefined && sibling !== undefined && { sibling }),
  }
}

function typeOf(name: string, { type, regex, max_len: maxLength }: RawType): OcsfType {
  return {
    base: (type ?? name) as OcsfType['base'],
    ...(regex !== undefined && { regex }),
    ...(maxLength !== undefined && { maxLength }),
  }
}
