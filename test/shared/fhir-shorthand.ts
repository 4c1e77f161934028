/** A definition in a file of FHIR Shorthand. */
export interface ShorthandEntity {
  /** `Profile`, `ValueSet`, `RuleSet`, `Invariant`, `Alias`, … */
  readonly kind: string
  readonly name: string
  readonly id?: string
  readonly parent?: string
  /** Of an alias. */
  readonly value?: string
  /** Of an invariant. */
  readonly expression?: string
  /** The rules that decide about validity: without comments, MS, and carets other than the discriminators of slices. */
  readonly rules: readonly string[]
}

type Draft = { -readonly [Name in keyof ShorthandEntity]: ShorthandEntity[Name] } & { rules: string[] }

/** @source https://build.fhir.org/ig/HL7/fhir-shorthand/reference.html */
export function entitiesIn(text: string): readonly ShorthandEntity[] {
  const entities: Draft[] = []
  for (const line of withoutDescriptions(text).split('\n').map(withoutComment)) {
    const [, kind, rest = ''] = /^(Profile|ValueSet|RuleSet|Invariant|Instance|CodeSystem|Alias):\s*(.+)$/.exec(line) ?? []
    const draft = entities.at(-1)
    if (kind !== undefined) {
      const [name = '', value] = rest.split(/\s*=\s*/)
      entities.push({ kind, name: name.replace(/\(.*\)$/, '').trim(), ...(value !== undefined && { value }), rules: [] })
    } else if (draft !== undefined) addLine(draft, line)
  }
  return entities.map((entity) => ({ ...entity, rules: entity.rules.map(ruleOf).filter((rule) => rule !== undefined) }))
}

function addLine(draft: Draft, line: string): void {
  const [, member, value = ''] = /^(Id|Parent|Expression):\s*(.+)$/.exec(line) ?? []
  if (member === 'Id') draft.id = value
  else if (member === 'Parent') draft.parent = value
  else if (member === 'Expression') draft.expression = value.replace(/^"|"$/g, '')
  else if (line.startsWith('*')) draft.rules.push(line.slice(1).trim())
  // the slices of `contains` are on several lines
  else if (/^\s+\S/.test(line) && draft.rules.at(-1)?.includes(' contains') === true)
    draft.rules.push(`${draft.rules.pop() ?? ''} ${line.trim()}`)
}

const withoutDescriptions = (text: string): string => text.replace(/"""[\s\S]*?"""/g, '')

/** A comment begins with two slashes at the start of a line or after a space: a URL has none before. */
const withoutComment = (line: string): string => line.replace(/(^|\s)\/\/.*$/, '').trimEnd()

function ruleOf(text: string): string | undefined {
  const rule = text.replace(/\s+/g, ' ')
  const isCaret = rule.startsWith('^') || / \^/.test(rule)
  if (isCaret && !rule.includes('discriminator.path')) return undefined
  if (/^\S+ MS$/.test(rule)) return undefined
  return rule.replace(/ MS$/, '')
}
