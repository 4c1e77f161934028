import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** An element of FHIR R4, under one of its names in JSON. */
export interface R4Element {
  /** The name in the definition: `value[x]` for `valueQuantity`. */
  readonly name: string
  readonly isModifier: boolean
  readonly isList: boolean
  /** Whether the element is one of several names of `name`. */
  readonly isChoice: boolean
  readonly isPrimitive: boolean
  /** A data type, or the path of a structure: `Patient.contact`. `Resource` for any resource. */
  readonly type: string
}

const Written = z.object({ types: z.record(z.string(), z.string()) })
const WRITTEN = Written.parse(JSON.parse(readFileSync(new URL('./r4-elements.json', import.meta.url), 'utf8'))).types
const ELEMENT = /^([A-Za-z]+)(\[x\])?(!?) ([^*]+)(\*?)$/

const NUMBERS: ReadonlySet<string> = new Set(['decimal', 'integer', 'positiveInt', 'unsignedInt'])

const read = new Map<string, ReadonlyMap<string, R4Element> | undefined>()

/**
 * The elements of a type by their names in JSON, with those of its base types. Undefined for a type that is not in the list: primitive
 * types, and resources that the import does not read.
 *
 * @source the StructureDefinitions of FHIR R4 4.0.1: `r4-elements.json`, written by `r4-elements.gen.ts`
 */
export function elementsOf(type: string): ReadonlyMap<string, R4Element> | undefined {
  if (!read.has(type)) read.set(type, parsed(type))
  return read.get(type)
}

/** The kind of JSON value that holds a primitive type; undefined for a type with elements. */
export function primitiveKind(type: string): 'boolean' | 'number' | 'string' | undefined {
  if (!/^[a-z]/.test(type)) return undefined
  if (type === 'boolean') return 'boolean'
  return NUMBERS.has(type) ? 'number' : 'string'
}

/** All types of the list. */
export function r4Types(): readonly string[] {
  return Object.keys(WRITTEN)
}

function parsed(type: string): ReadonlyMap<string, R4Element> | undefined {
  const written = Object.hasOwn(WRITTEN, type) ? WRITTEN[type] : undefined
  if (written === undefined) return undefined
  const [base = '', own = ''] = written.split(';').map((part) => part.trim())
  const elements = own === '' ? [] : own.split(', ').flatMap(namesOf)
  return new Map([...(elementsOf(base) ?? []), ...elements])
}

function namesOf(written: string): readonly (readonly [string, R4Element])[] {
  const [, name = '', choice, modifier, types = '', list] = ELEMENT.exec(written) ?? []
  return types.split('|').map((type) => {
    const key = choice === undefined ? name : `${name}${type.charAt(0).toUpperCase()}${type.slice(1)}`
    return [
      key,
      {
        name: `${name}${choice ?? ''}`,
        isModifier: modifier === '!',
        isList: list === '*',
        isChoice: choice !== undefined,
        isPrimitive: primitiveKind(type) !== undefined,
        type,
      },
    ] as const
  })
}
