import { z } from 'zod'
import { type Entry } from './bundle.ts'
import { isObject } from './object.ts'
import { FHIR_ID, RELATIVE, comparable, serverUrl } from './identity.ts'
import { currentIdentifiers } from './patient-identifiers.ts'

/**
 * Where a reference leads. `outside` names a resource that the bundle does not hold, with its type and id. `elsewhere` is one of
 * another server: its id means nothing here. `conditional` is known by a business identifier only.
 */
export type Target =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'contained'; readonly type: string; readonly resource: Readonly<Record<string, unknown>> }
  | { readonly kind: 'outside'; readonly type: string; readonly id: string; readonly base?: string }
  | { readonly kind: 'elsewhere'; readonly type: string }
  | { readonly kind: 'conditional'; readonly type: string; readonly query: string }
  | { readonly kind: 'nowhere' }

/** The type may be missing in a reference by identifier. */
const CONDITIONAL = /^([A-Z][A-Za-z]{2,40})?\?identifier=/
const SEARCH_URL = /^https?:\/\/([^?#\s]+)\/([A-Z][A-Za-z]{2,40}\?identifier=.*)$/
/** The system ends at the first bar, and the value can have further ones. */
const PATIENT_QUERY = /^Patient\?identifier=[^|]+\|[^]+$/
/** Printable ASCII: what is found here is shown in reports and can be assigned to a user. */
const SHOWN = /^[A-Z][A-Za-z]{2,40}\?identifier=[!-~]{1,200}\|[!-~]{1,100}$/

const Identified = z.object({ identifier: z.array(z.unknown()) })
const BusinessIdentifier = z.object({ system: z.string(), value: z.string() })

/** A patient that the bundle does not hold: `Patient/ID`, or `Patient?identifier=SYSTEM|VALUE`, and the server of the id. */
export interface OutsidePatient {
  readonly key: string
  readonly base?: string
}

/**
 * Follows references within one bundle. What could mean two resources leads nowhere: a record must not end up with a
 * patient by chance.
 *
 * @source https://hl7.org/fhir/R4/bundle.html#references, https://hl7.org/fhir/R4/http.html#trules (conditional references)
 */
export class References {
  readonly #byKey = new Map<string, Entry | 'several'>()
  readonly #byResource = new Map<unknown, Entry>()
  readonly #bases = new Set<string>()
  readonly #followed = new Set<Entry>()

  /** @param now ISO 8601 in UTC with milliseconds: an identifier that a patient has no more leads to nobody */
  constructor(entries: readonly Entry[], now: string) {
    for (const entry of entries) {
      this.#byResource.set(entry.resource, entry)
      if (entry.base !== undefined) this.#bases.add(entry.base)
      if (entry.id !== undefined) this.#add(`${entry.type}/${entry.id}`, entry)
      if (entry.fullUrl !== undefined) this.#add(comparable(entry.fullUrl), entry)
      for (const name of entry.confused?.names ?? []) this.#byKey.set(name, 'several')
      const identifiers = entry.type === 'Patient' ? identifiersOfPatient(entry.resource, now) : identifiersOf(entry.resource)
      for (const identifier of identifiers) {
        this.#add(`${entry.type}?identifier=${identifier}`, entry)
        this.#add(`?identifier=${identifier}`, entry)
      }
    }
  }

  /**
   * @param from the resource that holds the reference: `#id` leads into what it contains, and a relative one to its own server
   * @param type the type of the target, if the element allows only one
   */
  follow(reference: string | undefined, from: Readonly<Record<string, unknown>>, type?: string): Target {
    const target = this.#targetOf(reference, from, type)
    if (target.kind === 'entry') this.#followed.add(target.entry)
    return target
  }

  /** The patient that a reference leads to, if the bundle does not hold it. */
  outsidePatient(reference: string | undefined, from: Readonly<Record<string, unknown>>): OutsidePatient | undefined {
    const target = this.#targetOf(reference, from, 'Patient')
    if (target.kind === 'outside' && target.type === 'Patient') {
      const { id, base } = target
      return { key: `Patient/${id}`, ...(base !== undefined && { base }) }
    }
    if (reference === undefined || reference.length > MAX_REFERENCE) return undefined
    const query = this.#queryOf(reference, 'Patient')
    return PATIENT_QUERY.test(query) && !this.#byKey.has(query) ? { key: query } : undefined
  }

  /** Whether a reference was followed to the entry. */
  isFollowed(entry: Entry): boolean {
    return this.#followed.has(entry)
  }

  #targetOf(reference: string | undefined, from: Readonly<Record<string, unknown>>, type?: string): Target {
    if (reference === undefined || reference.length > MAX_REFERENCE) return NOWHERE
    if (reference.startsWith('#')) return containedIn(from, reference.slice(1))
    const relative = RELATIVE.exec(reference)
    if (relative !== null) return this.#relative(relative[1] ?? '', relative[2] ?? '', this.#byResource.get(from)?.base)
    const query = this.#queryOf(reference, type)
    return CONDITIONAL.test(query) ? this.#conditional(query) : this.#absolute(reference)
  }

  #queryOf(reference: string, type?: string): string {
    const query = this.#withoutBase(decoded(reference))
    return query.startsWith('?') ? `${type ?? ''}${query}` : query
  }

  /** A search on the server of the bundle is the conditional reference. */
  #withoutBase(reference: string): string {
    const [, base = '', query = ''] = SEARCH_URL.exec(reference) ?? []
    return this.#bases.has(base) ? query : reference
  }

  #relative(type: string, id: string, base: string | undefined): Target {
    const found = this.#byKey.get(`${type}/${id}`)
    if (found === 'several') return NOWHERE
    if (found === undefined) return { kind: 'outside', type, id, ...(base !== undefined && { base }) }
    // a relative reference leads to a resource of the same server
    const isOther = base !== undefined && found.base !== undefined && base !== found.base
    return isOther ? NOWHERE : { kind: 'entry', entry: found }
  }

  #absolute(reference: string): Target {
    const found = this.#byKey.get(comparable(reference))
    if (found === 'several') return NOWHERE
    if (found !== undefined) return { kind: 'entry', entry: found }
    const server = serverUrl(reference)
    if (server === undefined) return NOWHERE
    const { base, type, id } = server
    if (!this.#bases.has(base)) return { kind: 'elsewhere', type }
    return this.#byKey.has(`${type}/${id}`) ? NOWHERE : { kind: 'outside', type, id, base }
  }

  #conditional(query: string): Target {
    const found = this.#byKey.get(query)
    if (found === 'several') return NOWHERE
    if (found !== undefined) return { kind: 'entry', entry: found }
    return SHOWN.test(query) ? { kind: 'conditional', type: query.slice(0, query.indexOf('?')), query } : NOWHERE
  }

  #add(key: string, entry: Entry): void {
    const held = this.#byKey.get(key)
    this.#byKey.set(key, held === undefined || held === entry ? entry : 'several')
  }
}

const MAX_REFERENCE = 1024
const NOWHERE: Target = { kind: 'nowhere' }

/** `system|value` of each business identifier that has both. */
export function identifiersOf(resource: Readonly<Record<string, unknown>>): readonly string[] {
  const parsed = Identified.safeParse(resource)
  if (!parsed.success) return []
  return parsed.data.identifier.flatMap((candidate) => {
    const identifier = BusinessIdentifier.safeParse(candidate)
    return identifier.success ? `${identifier.data.system}|${identifier.data.value}` : []
  })
}

/** An identifier that is not valid yet leads to nobody either. */
function identifiersOfPatient(resource: Readonly<Record<string, unknown>>, now: string): readonly string[] {
  return currentIdentifiers(resource, now).flatMap(({ key, since }) => (since === undefined ? key : []))
}

function containedIn(from: Readonly<Record<string, unknown>>, id: string): Target {
  const contained: unknown[] = Array.isArray(from['contained']) ? from['contained'] : []
  const found = contained.filter(isObject).filter((resource) => resource['id'] === id && FHIR_ID.test(id))
  const resource = found[0]
  const type = resource?.['resourceType']
  if (found.length !== 1 || resource === undefined || typeof type !== 'string') return { kind: 'nowhere' }
  return { kind: 'contained', type, resource }
}

function decoded(reference: string): string {
  if (!reference.includes('%')) return reference
  try {
    return decodeURIComponent(reference)
  } catch {
    return reference
  }
}
