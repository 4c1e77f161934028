import { z } from 'zod'
import { identityOf } from './identity.ts'
import { type EntryIssue, type IssueText, WHOLE_BUNDLE, ISSUES, mappingIssue } from './mapping-issue.ts'
import { RESOURCE_TYPES } from './resource-types.ts'

export interface Entry {
  /** The place in `Bundle.entry`, from 0. */
  readonly index: number
  readonly type: string
  /** The resource's id, or the one of its `fullUrl`. */
  readonly id?: string
  /** The server of its `fullUrl`. */
  readonly base?: string
  /** If the entry has no id because it has several: why, and each of them as `Type/id`. */
  readonly confused?: { readonly why: IssueText; readonly names: readonly string[] }
  readonly fullUrl?: string
  readonly resource: Readonly<Record<string, unknown>>
}

export interface IdentifiedEntry extends Entry {
  readonly id: string
}

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
  for (const entry of withoutConfusedBases(parsed.data.entry.map((candidate, index) => readEntry(index, candidate)))) {
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
    faults.push({ entry: entry.index, ...mappingIssue(entry.type, ISSUES.duplicate) })
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
  const { id, base, differing } = identityOf(resource, fullUrl)
  return {
    index,
    type,
    resource,
    ...(id !== undefined && { id }),
    ...(base !== undefined && { base }),
    ...(fullUrl !== undefined && { fullUrl }),
    ...(differing !== undefined && { confused: { why: ISSUES.fullUrl, names: differing } }),
  }
}

/** Two servers may give one id to two resources. Such entries lose their id: nothing shows which of them is meant. */
function withoutConfusedBases(entries: readonly (Entry | EntryIssue)[]): readonly (Entry | EntryIssue)[] {
  const bases = new Map<string, Set<string>>()
  for (const entry of entries) {
    if ('reason' in entry || entry.id === undefined || entry.base === undefined) continue
    const name = `${entry.type}/${entry.id}`
    bases.set(name, (bases.get(name) ?? new Set()).add(entry.base))
  }
  return entries.map((entry) => {
    if ('reason' in entry || entry.id === undefined) return entry
    const { id, ...rest } = entry
    const name = `${entry.type}/${id}`
    return (bases.get(name)?.size ?? 0) > 1 ? { ...rest, confused: { why: ISSUES.bases, names: [name] } } : entry
  })
}

export function isIdentified(entry: Entry): entry is IdentifiedEntry {
  return entry.id !== undefined
}

export function isObject(candidate: unknown): candidate is Record<string, unknown> {
  return typeof candidate === 'object' && candidate !== null && !Array.isArray(candidate)
}
