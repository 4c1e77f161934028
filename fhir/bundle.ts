import { z } from 'zod'
import { type EntryIssue, WHOLE_BUNDLE, ISSUES, mappingIssue } from './mapping-issue.ts'
import { RESOURCE_TYPES } from './resource-types.ts'

export interface Entry {
  /** The place in `Bundle.entry`, from 0. */
  readonly index: number
  readonly type: string
  /** The resource's id, or the UUID of its `fullUrl` while it waits to be given one. */
  readonly id?: string
  readonly fullUrl?: string
  readonly resource: Readonly<Record<string, unknown>>
}

export interface IdentifiedEntry extends Entry {
  readonly id: string
}

/** @source https://hl7.org/fhir/R4/datatypes.html#id */
export const FHIR_ID = /^[A-Za-z0-9\-.]{1,64}$/
const URN_UUID = /^urn:uuid:([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$/
const MAX_URL = 1024

const Bundle = z.object({ resourceType: z.literal('Bundle'), entry: z.array(z.unknown()).default([]) })
const BundleEntry = z.object({
  fullUrl: z.string().max(MAX_URL).optional().catch(undefined),
  resource: z.custom<Record<string, unknown>>(isObject),
})
const Deletion = z.object({ request: z.object({ method: z.literal('DELETE') }) })

interface ReadEntries {
  /** The number of entries of the bundle, readable or not. */
  readonly count: number
  readonly entries: readonly Entry[]
  /** Entries with the type and id of an earlier one. */
  readonly duplicates: readonly { readonly entry: Entry; readonly earlier: Entry }[]
  readonly faults: readonly EntryIssue[]
}

/**
 * The entries of a bundle of any kind, and what is wrong with the rest. The first of two entries with one type and id
 * stands, the second is a fault.
 *
 * @source https://hl7.org/fhir/R4/bundle.html
 */
export function readEntries(bundle: unknown): ReadEntries {
  const parsed = Bundle.safeParse(bundle)
  if (!parsed.success)
    return { count: 0, entries: [], duplicates: [], faults: [{ entry: WHOLE_BUNDLE, ...mappingIssue('Bundle', ISSUES.bundle) }] }
  const entries: Entry[] = []
  const faults: EntryIssue[] = []
  const duplicates: { entry: Entry; earlier: Entry }[] = []
  const seen = new Map<string, Entry>()
  for (const [index, candidate] of parsed.data.entry.entries()) {
    const entry = readEntry(index, candidate)
    if ('reason' in entry) {
      faults.push(entry)
      continue
    }
    const earlier = entry.id === undefined ? undefined : seen.get(`${entry.type}/${entry.id}`)
    if (earlier === undefined) {
      seen.set(`${entry.type}/${entry.id ?? ''}`, entry)
      entries.push(entry)
      continue
    }
    faults.push({ entry: index, ...mappingIssue(entry.type, ISSUES.duplicate) })
    duplicates.push({ entry, earlier })
  }
  return { count: parsed.data.entry.length, entries, duplicates, faults }
}

function readEntry(index: number, candidate: unknown): Entry | EntryIssue {
  const parsed = BundleEntry.safeParse(candidate)
  if (!parsed.success) {
    const deletion = Deletion.safeParse(candidate).success
    return { entry: index, ...mappingIssue('Bundle.entry', deletion ? ISSUES.deletion : ISSUES.entry) }
  }
  const { fullUrl, resource } = parsed.data
  const type = resource['resourceType']
  if (typeof type !== 'string' || !RESOURCE_TYPES.has(type)) {
    return { entry: index, ...mappingIssue('Bundle.entry.resource.resourceType', ISSUES.type) }
  }
  const id = Object.hasOwn(resource, 'id') ? resource['id'] : URN_UUID.exec(fullUrl ?? '')?.[1]
  return {
    index,
    type,
    resource,
    ...(typeof id === 'string' && FHIR_ID.test(id) && { id }),
    ...(fullUrl !== undefined && { fullUrl }),
  }
}

export function isIdentified(entry: Entry): entry is IdentifiedEntry {
  return entry.id !== undefined
}

export function isObject(candidate: unknown): candidate is Record<string, unknown> {
  return typeof candidate === 'object' && candidate !== null && !Array.isArray(candidate)
}
