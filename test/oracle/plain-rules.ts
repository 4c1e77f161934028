import type { Json } from '../../gateway/model/record.ts'
import type { PlainCaller } from './plain-world.ts'
import type { Readable } from './readable.ts'

/** One field that one role may read. */
export interface Rule {
  readonly role: string
  readonly purposes: readonly string[]
  readonly relationship: string
  readonly path: string
  readonly view: string
}

export function rulesOf(readable: readonly Readable[]): Rule[] {
  return readable.flatMap(({ fields, ...who }) =>
    Object.entries(fields).flatMap(([type, names]) =>
      names.split(' ').map((name) => {
        const [field = '', view = 'FULL'] = name.split(':')
        return { ...who, path: `${type}.${field}`, view }
      }),
    ),
  )
}

/** Parses the rows of a table with the columns role, purposes, relationship, path, view. */
export function rulesFromCsv(text: string): Rule[] {
  return text
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((row) => {
      const [role = '', purposes = '', relationship = '', path = '', view = ''] = row.split(',')
      return { role, purposes: purposes.split(' '), relationship, path, view }
    })
}

export type Verdict = { readonly view: string; readonly basis: string } | { readonly reason: 'ROLE' | 'PURPOSE' | 'RELATIONSHIP' }

/** Decides by a table: the best view of the matching rules, or the furthest step that a rule reached. */
export class Rules {
  readonly #byPath: ReadonlyMap<string, readonly Rule[]>

  constructor(rules: readonly Rule[]) {
    this.#byPath = Map.groupBy(rules, ({ path }) => path)
  }

  isPhi(path: string): boolean {
    return this.#byPath.has(path)
  }

  /** Whether a path is an object with PHI inside, for example `Patient.address`. */
  embeds(path: string): boolean {
    return [...this.#byPath.keys()].some((one) => one.startsWith(`${path}.`))
  }

  /** @param emergency whether break-glass is open and used. It replaces the care team, and its purpose. */
  of(path: string, { role, purpose }: PlainCaller, relationships: ReadonlySet<string>, emergency = false): Verdict {
    const ofRole = (this.#byPath.get(path) ?? []).filter((rule) => rule.role === role)
    if (ofRole.length === 0) return { reason: 'ROLE' }
    const ofTreatment = ofRole.find(({ relationship, purposes }) => relationship === 'CARE_TEAM' && purposes.includes('TREAT'))
    if (emergency && ofTreatment !== undefined) return { view: ofTreatment.view, basis: 'BREAK_GLASS' }
    const ofPurpose = ofRole.filter(({ purposes }) => purposes.includes(purpose))
    if (ofPurpose.length === 0) return { reason: 'PURPOSE' }
    const fitting = ofPurpose.filter(({ relationship }) => relationships.has(relationship))
    const best = fitting.find(({ view }) => view === 'FULL') ?? fitting[0]
    return best === undefined
      ? { reason: 'RELATIONSHIP' }
      : { view: best.view, basis: role === 'RESEARCHER' ? 'STUDY' : best.relationship }
  }

  /** The relationships in which this caller may read any field of a type. */
  opening(type: string, { role, purpose }: PlainCaller): ReadonlySet<string> {
    const rules = this.#ofType(type).filter((rule) => rule.role === role && rule.purposes.includes(purpose))
    return new Set(rules.map(({ relationship }) => relationship))
  }

  /**
   * The reason for which a type is closed to this caller, independent of the record; undefined if it is open. Purpose BTG opens the
   * types that treatment opens, because break-glass extends it.
   */
  closed(types: readonly string[], { role, purpose }: PlainCaller): 'ROLE' | 'PURPOSE' | undefined {
    const rules = types.flatMap((type) => this.#ofType(type)).filter((rule) => rule.role === role)
    if (rules.length === 0) return 'ROLE'
    const some = rules.some(
      ({ purposes, relationship }) =>
        purposes.includes(purpose) || (purpose === 'BTG' && relationship === 'CARE_TEAM' && purposes.includes('TREAT')),
    )
    return some ? undefined : 'PURPOSE'
  }

  #ofType(type: string): Rule[] {
    return [...this.#byPath].flatMap(([path, rules]) => (path.startsWith(`${type}.`) ? rules : []))
  }
}

/** Three-digit prefixes of areas with 20,000 people or fewer (45 CFR 164.514(b)(2)(i)(B)). */
const FEW_PEOPLE = '036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893'.split(' ')

/** The field beside a value that a view depends on. */
export const NEEDED: Readonly<Record<string, string>> = { ZIP3: 'country' }

/**
 * The visible part of a value in a view; undefined for a view that the clinic does not have.
 *
 * @param needed the value of the field that the view depends on
 */
export function shown(view: string, value: Json, now: Date, needed?: Json): Json | undefined {
  if (view === 'FULL') return value
  if (view === 'YEAR') return year(value, now)
  if (typeof value !== 'string') return undefined
  if (view === 'LAST4') return value.replace(/\d(?=(?:\D*\d){4})/g, '*')
  if (view === 'ZIP3' && needed !== 'US') return '000'
  if (view === 'ZIP3') return FEW_PEOPLE.includes(value.slice(0, 3)) ? '000' : value.slice(0, 3)
  return undefined
}

/** The value for research, without members that hold free text. */
export function withoutText(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(withoutText)
  const members = Object.entries(value).filter(([name]) => name !== 'text' && name !== 'valueString')
  return Object.fromEntries(members.map(([name, member]) => [name, withoutText(member)]))
}

function year(value: Json, now: Date): Json {
  if (typeof value === 'string') {
    const [born = 0, month = 1, day = 1] = value.slice(0, 10).split('-').map(Number)
    return Date.UTC(born + 90, month - 1, day) <= now.getTime() ? '90+' : value.slice(0, 4)
  }
  const { start = null, end = null } = value as { start?: Json; end?: Json }
  return { start: start && year(start, now), end: end && year(end, now) }
}
