import { documentIssue } from './document-bundle.ts'
import { isObject } from './object.ts'
import { asksOtherVersion } from './fhir-version.ts'
import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'
import { shapeIssue } from './r4-shape.ts'

/** Real resources stay below 20; contained ones and extensions of extensions fit well within this. */
const MAX_DEPTH = 48

/** JSON.parse gives these as plain keys, and the next careless copy gives them power over every object. */
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * What makes a resource unfit to be read at all, or undefined:
 * - an element or a kind of value that FHIR R4 does not have there;
 * - a modifier element that the mapping does not read;
 * - a value beside the reason of its absence;
 * - another version of FHIR.
 *
 * A reader that does not understand a modifier must not process the element.
 * @source https://hl7.org/fhir/R4/extensibility.html#modifierExtension
 */
export function unfit(type: string, resource: object): MappingIssue | undefined {
  return forbiddenIn(type, resource) ?? shapeIssue(type, resource as Fields)
}

type Fields = Readonly<Record<string, unknown>>

/** What makes a bundle unfit to be read, apart from its entries. */
export function unfitBundle(bundle: Fields): MappingIssue | undefined {
  const { link } = bundle
  const urls = (Array.isArray(link) ? link : []).map((one: unknown) => (isObject(one) ? one['url'] : undefined))
  if (urls.some((url) => typeof url === 'string' && asksOtherVersion(url))) return mappingIssue('Bundle', ISSUES.version)
  return unfit('Bundle', { ...bundle, entry: undefined }) ?? documentIssue(bundle)
}

/** What makes an entry of a bundle unfit to be read, apart from its resource. */
export function unfitEntry(entry: unknown): MappingIssue | undefined {
  return isObject(entry) ? unfit('Bundle.entry', { ...entry, resource: undefined }) : undefined
}

/** Checks of every place, also of what R4's list does not have. Walks without recursion: input that is nested a million times must not end the process. */
export function forbiddenIn(type: string, resource: object): MappingIssue | undefined {
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
      if (item === undefined) continue
      if (key === 'modifierExtension') return mappingIssue(type, ISSUES.modifier)
      if (key === 'implicitRules' || key === '_implicitRules') return mappingIssue(type, ISSUES.implicitRules)
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
