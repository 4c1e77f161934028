import { isExactNumber } from '../gateway/model/exact-number.ts'
import { absenceOf, hasAbsentReason } from './absent-reason.ts'
import { isObject } from './object.ts'
import { isOfOtherVersion } from './fhir-version.ts'
import { type IssueText, type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'
import { isUnderstood } from './modifiers.ts'
import { type R4Element, elementsOf, hasRequiredCode, primitiveKind } from './r4-elements.ts'
import { RESOURCE_TYPES } from './resource-types.ts'

type Fields = Readonly<Record<string, unknown>>

/** The steps to a value from its resource: names of R4 and indexes, never another text of the input (P8). */
type Path = (string | number)[]

/**
 * What the definition of R4 does not allow in a value of a type, or undefined. Nothing is known of types that are not in the list.
 *
 * @param value at most as deep as `unfit` allows
 */
export function shapeIssue(type: string, value: Fields): MappingIssue | undefined {
  return issueIn(type, value, [type], undefined)
}

/** A security label that is not well formed closes its record: `securityLabelsOf`. A refused record would leave an earlier version open. */
const LABELS: ReadonlySet<string> = new Set(['Meta.security', 'DocumentReference.securityLabel'])

/** @param path the same as before the call when it returns undefined */
function issueIn(type: string, value: Fields, path: Path, element: R4Element | undefined): MappingIssue | undefined {
  const elements = elementsOf(type)
  if (elements === undefined) return undefined
  let chosen: Set<string> | undefined
  for (const key in value) {
    const item = value[key]
    if (item === undefined || (key === 'resourceType' && elements.has('implicitRules'))) continue
    const isCompanion = key.startsWith('_')
    const name = isCompanion ? key.slice(1) : key
    const own = elements.get(name)
    if (own === undefined) return issueAt(path, ISSUES.element)
    if (LABELS.has(`${type}.${own.name}`)) continue
    path.push(name)
    const why = isCompanion ? companionIssue(type, own, item) : valueIssue(type, own, item)
    if (why !== undefined) return issueAt(why.at === undefined ? path : [...path, why.at], why.text)
    const found = issueWithin(isCompanion ? COMPANION : own, item, path)
    if (found) return found
    path.pop()
    if (isCompanion || !own.isChoice) continue
    if (chosen?.has(own.name) === true) return issueAt([...path, own.name], ISSUES.oneValue)
    chosen = (chosen ?? new Set()).add(own.name)
  }
  if (type === 'Meta' && isOfOtherVersion(value['profile'])) return issueAt(path, ISSUES.version)
  if (type === 'Meta' && isSubset(value['tag'])) return issueAt(path, ISSUES.subset)
  return absenceIssue(path, element, value, type)
}

function issueWithin(element: R4Element, item: unknown, path: Path): MappingIssue | undefined {
  if (element.isPrimitive) return undefined
  if (!Array.isArray(item)) return issueInItem(element, item, path)
  for (let index = 0; index < item.length; index++) {
    path.push(index)
    const found = issueInItem(element, item[index], path)
    if (found) return found
    path.pop()
  }
  return undefined
}

function issueInItem(element: R4Element, item: unknown, path: Path): MappingIssue | undefined {
  if (!isObject(item)) return undefined
  if (element.type !== 'Resource') return issueIn(element.type, item, path, element)
  // a contained resource begins a path of its own, as an entry does
  const type = String(item['resourceType'])
  return issueIn(type, item, [type], element)
}

/** `_name`, beside a primitive value. */
const COMPANION: R4Element = { name: '', isModifier: false, isList: false, isChoice: false, isPrimitive: false, type: 'Element' }

function issueAt([type, ...steps]: Path, why: IssueText): MappingIssue {
  const where = steps.reduce<string>((to, step) => (typeof step === 'number' ? `${to}[${step}]` : `${to}.${step}`), String(type))
  return mappingIssue(where, why)
}

interface Why {
  readonly text: IssueText
  /** The index in a list. */
  readonly at?: number
}

function valueIssue(type: string, element: R4Element, value: unknown): Why | undefined {
  if (element.isList !== Array.isArray(value)) return { text: ISSUES.shape }
  if (Array.isArray(value)) {
    const misfit = value.findIndex((item) => !isOfKind(element, item))
    if (misfit !== -1) return { text: ISSUES.shape, at: misfit }
  } else if (!isOfKind(element, value)) return { text: ISSUES.shape }
  if (element.type === 'Resource' && !(Array.isArray(value) ? value : [value]).every(isResource)) return { text: ISSUES.type }
  // a concept is absent if its codes are a reason
  const { required } = element
  if (
    required !== undefined &&
    !(isObject(value) && absenceOf(element.type, value) !== 'present') &&
    !hasRequiredCode(required, value)
  )
    return { text: ISSUES.code }
  return element.isModifier && !isUnderstood(`${type}.${element.name}`, value) ? { text: ISSUES.unreadModifier } : undefined
}

function isOfKind({ type, isList, isPrimitive }: R4Element, value: unknown): boolean {
  if (!isPrimitive) return isObject(value)
  // null holds the place of an item that has extensions only
  return (
    typeof value === primitiveKind(type) || (primitiveKind(type) === 'number' && isExactNumber(value)) || (isList && value === null)
  )
}

function isResource(value: unknown): boolean {
  const type = isObject(value) ? value['resourceType'] : undefined
  return typeof type === 'string' && RESOURCE_TYPES.has(type)
}

/**
 * Whether a server left elements out, as in the answer to a search with `_summary` or `_elements`. A client must not take such a
 * resource for the whole one.
 *
 * @source https://hl7.org/fhir/R4/search.html#summary
 */
function isSubset(tags: unknown): boolean {
  return Array.isArray(tags) && tags.some((tag) => isObject(tag) && tag['code'] === 'SUBSETTED')
}

/** @param beside the value of `_name`: the id and the extensions of a primitive value */
function companionIssue(type: string, element: R4Element, beside: unknown): Why | undefined {
  if (!element.isPrimitive) return { text: ISSUES.element }
  if (element.isList !== Array.isArray(beside)) return { text: ISSUES.shape }
  const parts: readonly unknown[] = Array.isArray(beside) ? beside : [beside]
  if (!parts.every((part) => isObject(part) || (element.isList && part === null))) return { text: ISSUES.shape }
  // a period without its end would go on for ever; a patient has died, also if the date is missing
  const isDecisive = (element.isModifier && element.name !== 'deceased[x]') || type === 'Period'
  return isDecisive && parts.some(hasAbsentReason) ? { text: ISSUES.masked } : undefined
}

function absenceIssue(path: Path, element: R4Element | undefined, value: Fields, type: string): MappingIssue | undefined {
  // the one element that consists of a reason
  if (element?.name === 'dataAbsentReason') return undefined
  const absence = absenceOf(type, value)
  if (absence === 'contradiction') return issueAt(path, ISSUES.contradiction)
  // nothing would say then that a name, a place on a team or a guardianship has ended
  const isDecisive = element?.isModifier === true || (type === 'Period' && element?.name === 'period')
  return absence === 'absent' && isDecisive ? issueAt(path, ISSUES.masked) : undefined
}
