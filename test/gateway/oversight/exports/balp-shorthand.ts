import { AT_LEAST_ONE_MATCH, BALP_ALIASES, BALP_PROFILES, BALP_VALUE_SETS, R4_RULES, R4_VALUE_SETS } from './balp-rules.ts'

/** One step of a path: `agent[client]`. */
export interface Step {
  readonly name: string
  readonly slice?: string
}

interface Code {
  readonly system?: string
  readonly code: string
}

/** The value of an element: one of some codes, or a boolean. */
export type Allowed = readonly Code[] | boolean

export type Rule = { readonly text: string; readonly path: readonly Step[] } & (
  | { readonly kind: 'COUNT'; readonly min: number; readonly max: number }
  | { readonly kind: 'VALUE'; readonly allowed: Allowed }
  | { readonly kind: 'REFERENCE'; readonly type: string }
  | { readonly kind: 'SOURCE' }
  | { readonly kind: 'DISCRIMINATOR'; readonly at: readonly Step[] }
)

const RULE = /^(?<path>\S+) (?<what>.+)$/

/** The rules of R4 for every event. */
export const r4Rules = (): readonly Rule[] => linesOf(R4_RULES).flatMap(ruleOf)

/** The rules of a profile and its parents. @throws Error for a rule that has no meaning here: none is skipped unseen */
export function rulesOf(name: string): readonly Rule[] {
  const profile = BALP_PROFILES[name]
  if (profile === undefined) throw new Error(`no profile ${name}`)
  const own = linesOf(profile.rules).flatMap(inserted).flatMap(ruleOf)
  return [...(profile.parent === undefined ? [] : rulesOf(profile.parent)), ...own]
}

export const linesOf = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

function inserted(line: string): readonly string[] {
  const match = /^insert requireAtLeastOneMatch\((\S+), (\S+), (\S+)\)$/.exec(line)
  if (match === null) return [line]
  const [, path = '', slice = '', pattern = ''] = match
  return linesOf(AT_LEAST_ONE_MATCH).map((one) =>
    one.replaceAll('{path}', path).replaceAll('{slice}', slice).replaceAll('{pattern}', pattern),
  )
}

function ruleOf(text: string): readonly Rule[] {
  const { path: written = '', what = '' } = RULE.exec(text)?.groups ?? {}
  const path = stepsOf(written)
  const count = /^(\d+)\.\.(\d+|\*)?$/.exec(what)
  if (count !== null) return [{ text, path, kind: 'COUNT', min: Number(count[1]), max: maxOf(count[2]) }]
  const fixed = /^= (\S+)$/.exec(what)?.[1]
  if (fixed === 'true' || fixed === 'false') return [{ text, path, kind: 'VALUE', allowed: fixed === 'true' }]
  if (fixed !== undefined) return [{ text, path, kind: 'VALUE', allowed: [codeOf(fixed)] }]
  const set = /^from (\S+) \(required\)$/.exec(what)?.[1]
  if (set !== undefined) return [{ text, path, kind: 'VALUE', allowed: codesOf(set) }]
  const type = /^only Reference\((\w+)\)$/.exec(what)?.[1]
  if (type !== undefined) return [{ text, path, kind: 'REFERENCE', type }]
  if (what === 'obeys val-audit-source') return [{ text, path, kind: 'SOURCE' }]
  const at = /^\^slicing\.discriminator\.path = "(\S+)"$/.exec(what)?.[1]
  if (at !== undefined) return [{ text, path, kind: 'DISCRIMINATOR', at: at === '$this' ? [] : stepsOf(at) }]
  if (what.startsWith('contains ')) return slicesOf(text, path, what.slice('contains '.length))
  throw new Error(`a rule that is not understood: ${text}`)
}

function slicesOf(text: string, path: readonly Step[], what: string): readonly Rule[] {
  const last = path.at(-1)
  if (last === undefined) throw new Error(`a rule without a path: ${text}`)
  return what.split(' and ').map((one): Rule => {
    const [, slice = '', min, max] = /^(\w+) (\d+)\.\.(\d+|\*)$/.exec(one.trim()) ?? []
    if (slice === '') throw new Error(`a slice that is not understood: ${text}`)
    return {
      text: `${text} (${slice})`,
      path: [...path.slice(0, -1), { ...last, slice }],
      kind: 'COUNT',
      min: Number(min),
      max: maxOf(max),
    }
  })
}

const maxOf = (max: string | undefined): number => (max === undefined || max === '*' ? Number.POSITIVE_INFINITY : Number(max))

const stepsOf = (path: string): readonly Step[] =>
  path.split('.').map((step) => {
    const [, name = step, slice] = /^(\w+)\[(\w+)\]$/.exec(step) ?? []
    return slice === undefined ? { name } : { name, slice }
  })

function codesOf(set: string): readonly Code[] {
  const codes = BALP_VALUE_SETS[set] ?? R4_VALUE_SETS[set]
  if (codes === undefined) throw new Error(`no value set ${set}`)
  return codes.map(codeOf)
}

function codeOf(text: string): Code {
  const [before = '', code = ''] = text.split('#')
  return before === '' ? { code } : { system: BALP_ALIASES[before] ?? before, code }
}
