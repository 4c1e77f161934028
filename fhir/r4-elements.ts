import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { isObject } from './object.ts'

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
  /** The codes of the element, one of which it must have. */
  readonly required?: RequiredCodes
}

export interface RequiredCodes {
  readonly system: string
  readonly codes: ReadonlySet<string>
}

const Codes = z.object({ system: z.string(), codes: z.string().transform((codes) => new Set(codes.split(' '))) })
const Written = z.object({ types: z.record(z.string(), z.string()), codes: z.record(z.string(), Codes) })
const { types: WRITTEN, codes: CODES } = Written.parse(
  JSON.parse(readFileSync(new URL('./r4-elements.json', import.meta.url), 'utf8')),
)
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

/** Whether a code or a concept has exactly one of the codes. Codings of other systems are translations. */
export function hasRequiredCode({ system, codes }: RequiredCodes, value: unknown): boolean {
  if (typeof value === 'string') return codes.has(value)
  const codings: readonly unknown[] = isObject(value) && Array.isArray(value['coding']) ? value['coding'] : []
  // a coding without a system is of the system that the element requires
  const own = codings.filter(isObject).filter((coding) => coding['system'] === undefined || coding['system'] === system)
  const said = new Set(own.map(({ code }) => code))
  return said.size === 1 && [...said].every((code) => typeof code === 'string' && codes.has(code))
}

/** All types of the list. */
export function r4Types(): readonly string[] {
  return Object.keys(WRITTEN)
}

function parsed(type: string): ReadonlyMap<string, R4Element> | undefined {
  const written = Object.hasOwn(WRITTEN, type) ? WRITTEN[type] : undefined
  if (written === undefined) return undefined
  const [base = '', own = ''] = written.split(';').map((part) => part.trim())
  const elements = own === '' ? [] : own.split(', ').flatMap((one) => namesOf(type, one))
  return new Map([...(elementsOf(base) ?? []), ...elements])
}

function namesOf(of: string, written: string): readonly (readonly [string, R4Element])[] {
  const [, name = '', choice, modifier, types = '', list] = ELEMENT.exec(written) ?? []
  const required = CODES[`${of}.${name}`]
  return types.split('|').map((type) => {
    const key = choice === undefined ? name : `${name}${type.charAt(0).toUpperCase()}${type.slice(1)}`
    const element: R4Element = {
      name: `${name}${choice ?? ''}`,
      isModifier: modifier === '!',
      isList: list === '*',
      isChoice: choice !== undefined,
      isPrimitive: primitiveKind(type) !== undefined,
      type,
      ...(required !== undefined && { required }),
    }
    return [key, element] as const
  })
}
