import { isDeepStrictEqual } from 'node:util'
import type { Allowed, Rule, Step } from './balp-shorthand.ts'
import { isNode, valuesAt } from './balp-validator.ts'

/** An event with one change that a rule forbids. */
export interface Mutant {
  readonly change: string
  readonly event: unknown
}

type Writable = Record<string, unknown>

/** For each rule that the event can break by one change: the event with that change. */
export function mutantsOf(event: object, rules: readonly Rule[]): readonly Mutant[] {
  return rules.flatMap((rule) => changesOf(rule, rules).flatMap((change) => mutant(event, rules, change)))
}

interface Change {
  readonly name: string
  readonly path: readonly Step[]
  /** Changes a member of a node that the path selects without its last step. */
  readonly apply: (parent: Writable, name: string, selected: readonly unknown[]) => void
}

function changesOf(rule: Rule, rules: readonly Rule[]): readonly Change[] {
  const { path, text } = rule
  // an item that leaves a slice of 0..1 is another item, which the open slicing allows
  if (selectsOptional(path, rules)) return []
  switch (rule.kind) {
    case 'COUNT':
      return [
        ...(rule.min > 0 ? [{ name: `remove: ${text}`, path, apply: remove }] : []),
        ...(rule.min > 1 ? [{ name: `too few: ${text}`, path, apply: keepFewer(rule.min) }] : []),
        ...(rule.max === 0 ? [{ name: `add: ${text}`, path, apply: add }] : []),
        ...(rule.max === 1 && path.at(-1)?.slice !== undefined ? [{ name: `repeat: ${text}`, path, apply: repeat }] : []),
      ]
    case 'VALUE':
      return [
        { name: `other code: ${text}`, path, apply: altered('code', rule.allowed) },
        ...(typeof rule.allowed !== 'boolean' && rule.allowed[0]?.system !== undefined
          ? [{ name: `other system: ${text}`, path, apply: altered('system', rule.allowed) }]
          : []),
      ]
    case 'REFERENCE':
      return [{ name: `other type: ${text}`, path, apply: (parent, name) => (parent[name] = { reference: 'Group/1' }) }]
    case 'SOURCE':
      return [{ name: text, path: [...path, { name: 'who' }], apply: (parent, name) => (parent[name] = { display: 'another' }) }]
    case 'DISCRIMINATOR':
      return []
    default:
      return rule satisfies never
  }
}

/** Whether the path is the discriminator of an optional slice. */
function selectsOptional(path: readonly Step[], rules: readonly Rule[]): boolean {
  const [first, ...rest] = path
  if (first?.slice === undefined) return false
  const isOptional = rules.some((rule) => rule.kind === 'COUNT' && rule.min === 0 && isDeepStrictEqual(rule.path, [first]))
  const at = rules.flatMap((rule) => (rule.kind === 'DISCRIMINATOR' && rule.path[0]?.name === first.name ? [rule.at] : []))[0]
  return isOptional && isDeepStrictEqual(rest, at)
}

function mutant(event: object, rules: readonly Rule[], { name, path, apply }: Change): readonly Mutant[] {
  const copy: unknown = structuredClone(event)
  const [outer, last] = [path.slice(0, -1), path.at(-1)]
  if (last === undefined) return []
  const selectedIn = (parent: unknown): readonly unknown[] => valuesAt(parent, [last], rules, outer)
  const parents = valuesAt(copy, outer, rules)
  const parent = parents.find((one) => selectedIn(one).length > 0) ?? parents[0]
  if (!isNode(parent)) return []
  apply(parent, last.name, selectedIn(parent))
  return isDeepStrictEqual(copy, event) ? [] : [{ change: name, event: copy }]
}

function remove(parent: Writable, name: string, selected: readonly unknown[]): void {
  const value = parent[name]
  const left = Array.isArray(value) ? value.filter((one) => !selected.includes(one)) : []
  if (left.length > 0) parent[name] = left
  else Reflect.deleteProperty(parent, name)
}

const keepFewer =
  (min: number) =>
  (parent: Writable, name: string): void => {
    const value = parent[name]
    if (Array.isArray(value)) parent[name] = value.slice(0, min - 1)
  }

/** Elements that are forbidden somewhere, with a valid value. */
const VALUES: Readonly<Record<string, unknown>> = {
  media: { system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110030' },
  network: { address: '192.0.2.1', type: '2' },
  what: { display: 'something' },
  lifecycle: { system: 'http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle', code: '6' },
  detail: [{ type: 'name', valueString: 'value' }],
  modifierExtension: [{ url: 'https://phi.example/extension', valueBoolean: true }],
}

function add(parent: Writable, name: string): void {
  if (VALUES[name] === undefined) throw new Error(`no value for ${name}`)
  parent[name] = VALUES[name]
}

function repeat(parent: Writable, name: string, selected: readonly unknown[]): void {
  const value = parent[name]
  if (Array.isArray(value)) parent[name] = [...(value as readonly unknown[]), ...selected]
}

/** Changes the code or its system, wherever the element has it. */
const altered =
  (member: 'code' | 'system', allowed: Allowed) =>
  (parent: Writable, name: string, selected: readonly unknown[]): void => {
    const value = parent[name]
    if (selected.length === 0) return
    const alter = (one: unknown): unknown => (typeof one === 'string' ? otherCode(name, allowed) : other(one, member))
    parent[name] = Array.isArray(value) ? value.map((one: unknown) => (selected.includes(one) ? alter(one) : one)) : alter(value)
  }

/** Codes of R4, and one that is none. A mutant of a profile has another code of R4, so that the profile alone refuses it. */
const CODES: Readonly<Record<string, readonly string[]>> = {
  action: ['C', 'R', 'none'],
  outcome: ['0', '4', 'none'],
  type: ['1', 'none'],
}

function otherCode(name: string, allowed: Allowed): string {
  const isAllowed = (code: string): boolean => typeof allowed !== 'boolean' && allowed.some((one) => one.code === code)
  const code = CODES[name]?.find((one) => !isAllowed(one))
  if (code === undefined) throw new Error(`no other code for ${name}`)
  return code
}

function other(value: unknown, member: 'code' | 'system'): unknown {
  if (typeof value === 'boolean') return !value
  if (!isNode(value)) return value
  const { coding } = value
  if (Array.isArray(coding)) return { ...value, coding: (coding as readonly unknown[]).map((one) => other(one, member)) }
  return { ...value, [member]: member === 'code' ? 'another' : 'https://phi.example/another' }
}
