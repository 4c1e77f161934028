import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'

/** Real resources stay below 20; contained ones and extensions of extensions fit well within this. */
const MAX_DEPTH = 48

/** JSON.parse gives these as plain keys, and the next careless copy gives them power over every object. */
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * What makes a resource unfit to be read at all, or undefined. Walks without recursion: input that is nested a million
 * times must not end the process.
 *
 * A modifier extension may negate what it stands in; who does not understand it must not process the element.
 * @source https://hl7.org/fhir/R4/extensibility.html#modifierExtension
 */
export function unfit(type: string, resource: object): MappingIssue | undefined {
  const open: { value: unknown; depth: number }[] = [{ value: resource, depth: 1 }]
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next
    if (!fitsUtf8(value)) return mappingIssue(type, ISSUES.unicode)
    if (typeof value !== 'object' || value === null) continue
    if (depth > MAX_DEPTH) return mappingIssue(type, ISSUES.depth)
    if (Array.isArray(value)) {
      for (const item of value) open.push({ value: item, depth: depth + 1 })
      continue
    }
    for (const [key, item] of Object.entries(value)) {
      if (FORBIDDEN.has(key)) return mappingIssue(type, ISSUES.key)
      if (!key.isWellFormed()) return mappingIssue(type, ISSUES.unicode)
      if (key === 'modifierExtension') return mappingIssue(type, ISSUES.modifier)
      open.push({ value: item, depth: depth + 1 })
    }
  }
  return undefined
}

/** RFC 8785, which the digest of a source is taken over, knows neither lone surrogates nor infinity. */
function fitsUtf8(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  return typeof value !== 'number' || Number.isFinite(value)
}
