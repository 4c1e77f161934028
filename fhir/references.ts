import { z } from 'zod'
import { type Entry, FHIR_ID, isObject } from './bundle.ts'

/**
 * Where a reference leads. `outside` names a resource that the bundle does not hold but whose type and id are known;
 * `conditional` one that is known by a business identifier alone.
 */
export type Target =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'contained'; readonly type: string; readonly resource: Readonly<Record<string, unknown>> }
  | { readonly kind: 'outside'; readonly type: string; readonly id: string }
  | { readonly kind: 'conditional'; readonly type: string; readonly query: string }
  | { readonly kind: 'nowhere' }

const RELATIVE = /^([A-Z][A-Za-z]{2,40})\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/
/** Printable ASCII: what is found here is shown in reports and can be assigned to a user. */
const CONDITIONAL = /^([A-Z][A-Za-z]{2,40})\?identifier=[!-~]{1,200}\|[!-~]{1,100}$/

const Identified = z.object({ identifier: z.array(z.unknown()) })
const BusinessIdentifier = z.object({ system: z.string(), value: z.string() })

/**
 * Follows references within one bundle. What could mean two resources leads nowhere: a record must not end up with a
 * patient by chance.
 *
 * @source https://hl7.org/fhir/R4/bundle.html#references, https://hl7.org/fhir/R4/http.html#trules (conditional references)
 */
export class References {
  readonly #byKey = new Map<string, Entry | 'several'>()

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) {
      if (entry.id !== undefined) this.#add(`${entry.type}/${entry.id}`, entry)
      if (entry.fullUrl !== undefined) this.#add(entry.fullUrl, entry)
      for (const identifier of identifiersOf(entry.resource)) this.#add(`${entry.type}?identifier=${identifier}`, entry)
    }
  }

  /** @param from the resource that holds the reference: `#id` leads into what it contains */
  follow(reference: string | undefined, from: Readonly<Record<string, unknown>>): Target {
    if (reference === undefined || reference.length > 1024) return { kind: 'nowhere' }
    if (reference.startsWith('#')) return containedIn(from, reference.slice(1))
    const [, type, id] = RELATIVE.exec(reference) ?? []
    const conditional = CONDITIONAL.exec(decoded(reference))
    const query = conditional?.[0]
    const found = this.#byKey.get(type === undefined ? (query ?? reference) : `${type}/${id ?? ''}`)
    if (found === 'several') return { kind: 'nowhere' }
    if (found) return { kind: 'entry', entry: found }
    if (type !== undefined && id !== undefined) return { kind: 'outside', type, id }
    if (query !== undefined) return { kind: 'conditional', type: conditional?.[1] ?? '', query }
    return { kind: 'nowhere' }
  }

  #add(key: string, entry: Entry): void {
    const held = this.#byKey.get(key)
    this.#byKey.set(key, held === undefined || held === entry ? entry : 'several')
  }
}

/** `system|value` of each business identifier that has both. */
export function identifiersOf(resource: Readonly<Record<string, unknown>>): readonly string[] {
  const parsed = Identified.safeParse(resource)
  if (!parsed.success) return []
  return parsed.data.identifier.flatMap((candidate) => {
    const identifier = BusinessIdentifier.safeParse(candidate)
    return identifier.success ? `${identifier.data.system}|${identifier.data.value}` : []
  })
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
