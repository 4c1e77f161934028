import { confidentialityOf } from './document-bundle.ts'
import { unfitBundle, unfitEntry } from './inspect.ts'
import type { MappingIssue } from './mapping-issue.ts'
import { isObject } from './object.ts'

/** A bundle without bundles in it. */
export interface FlatBundle {
  readonly bundle: unknown
  /** Where each entry comes from: its index in `Bundle.entry`, then those in the bundles within. */
  readonly places: readonly (readonly number[])[]
  /** By the index of an entry, the issue of the bundles around it, which makes the entry unfit to be read. */
  readonly around: readonly (MappingIssue | undefined)[]
}

type Json = Readonly<Record<string, unknown>>

/** A bundle nested deeper stays an entry, which is refused. */
const MAX_NESTING = 4

/**
 * Puts the entries of bundles within a bundle in their place: the answers of a batch, or bundles that were collected. They share
 * references, because the answers of a batch refer to each other. The security labels of an inner bundle go to its resources.
 *
 * An issue of an inner bundle, or of the entry around it, refuses each of its entries. A bundle without a list of entries
 * stays an entry.
 *
 * @source https://hl7.org/fhir/R4/http.html#transaction-response
 */
export function flatBundle(bundle: unknown): FlatBundle {
  if (!isObject(bundle) || !Array.isArray(bundle['entry'])) return { bundle, places: [], around: [] }
  const all = bundle['entry'] as readonly unknown[]
  if (!all.some((entry) => innerOf(entry) !== undefined)) return { bundle, places: all.map((_, index) => [index]), around: [] }
  const found = [...entriesOf(all, [], undefined)]
  return {
    bundle: { ...bundle, entry: found.map(({ entry }) => entry) },
    places: found.map(({ place }) => place),
    around: found.map(({ around }) => around),
  }
}

interface Placed {
  readonly entry: unknown
  readonly place: readonly number[]
  readonly around: MappingIssue | undefined
}

function* entriesOf(entries: readonly unknown[], above: readonly number[], around: MappingIssue | undefined): Generator<Placed> {
  for (const [index, entry] of entries.entries()) {
    const place = [...above, index]
    const inner = place.length <= MAX_NESTING ? innerOf(entry) : undefined
    if (inner === undefined) {
      yield { entry, place, around }
      continue
    }
    const labels = [...labelsOf(inner), ...confidentialityOf(inner)]
    const found = around ?? unfitEntry(entry) ?? unfitBundle(inner)
    for (const one of entriesOf(inner['entry'] as readonly unknown[], place, found))
      yield { ...one, entry: labeledEntry(one.entry, labels) }
  }
}

function innerOf(entry: unknown): Json | undefined {
  const resource = isObject(entry) ? entry['resource'] : undefined
  if (!isObject(resource) || resource['resourceType'] !== 'Bundle') return undefined
  const inner = resource['entry']
  return Array.isArray(inner) && inner.length > 0 ? resource : undefined
}

/** The security labels of a bundle. What is no list of labels becomes one that is not known, and closes the records. */
function labelsOf({ meta }: Json): readonly unknown[] {
  if (meta === undefined || meta === null) return []
  if (!isObject(meta)) return [null]
  const { security } = meta
  if (security === undefined || security === null) return []
  return Array.isArray(security) ? (security as readonly unknown[]) : [null]
}

function labeledEntry(entry: unknown, labels: readonly unknown[]): unknown {
  const resource = isObject(entry) ? entry['resource'] : undefined
  if (labels.length === 0 || !isObject(entry) || !isObject(resource)) return entry
  const { meta } = resource
  const own = labelsOf(resource)
  return { ...entry, resource: { ...resource, meta: { ...(isObject(meta) ? meta : {}), security: [...own, ...labels] } } }
}
