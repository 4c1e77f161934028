import { isObject } from './object.ts'

/** A concept as a record has it. Parts that are null or of another type are absent. */
export interface ReadConcept {
  readonly coding: readonly { readonly system?: string; readonly code?: string; readonly display?: string }[]
  readonly text?: string
}

/** The text under a key of an object. */
export function textIn(value: unknown, key: string): string | undefined {
  const text = isObject(value) ? value[key] : undefined
  return typeof text === 'string' ? text : undefined
}

/** The items of a list. Anything else has none. */
export const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : [])

/** A value as a concept. Undefined for a value that is no object. */
export function conceptIn(value: unknown): ReadConcept | undefined {
  if (!isObject(value)) return undefined
  const text = textIn(value, 'text')
  const coding = itemsOf(value['coding']).map((one) => {
    const [system, code, display] = ['system', 'code', 'display'].map((key) => textIn(one, key))
    return {
      ...(system !== undefined && { system }),
      ...(code !== undefined && { code }),
      ...(display !== undefined && { display }),
    }
  })
  return { coding, ...(text !== undefined && { text }) }
}
