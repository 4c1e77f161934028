import { z } from 'zod'
import type { SourceVersion } from '../gateway/model/source.ts'
import { identityOf, serverUrl } from './identity.ts'
import { unfit } from './inspect.ts'
import { type EntryIssue, type IssueText, WHOLE_BUNDLE, ISSUES, mappingIssue } from './mapping-issue.ts'
import { isObject } from './object.ts'
import { contentDigest } from './record.ts'
import { RESOURCE_TYPES } from './resource-types.ts'
import { newestOf, versionOf } from './versions.ts'

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
  readonly version: SourceVersion
}

export interface IdentifiedEntry extends Entry {
  readonly id: string
}

const MAX_URL = 1024

const Bundle = z.object({
  resourceType: z.literal('Bundle'),
  type: z.unknown().optional(),
  entry: z.array(z.unknown()).default([]),
})
const BundleEntry = z.object({
  fullUrl: z.string().max(MAX_URL).optional().catch(undefined),
  resource: z.custom<Record<string, unknown>>(isObject),
  response: z.unknown().optional(),
})
const Deletion = z.object({
  fullUrl: z.string().max(MAX_URL).optional().catch(undefined),
  request: z.object({ method: z.literal('DELETE'), url: z.string().max(MAX_URL).optional().catch(undefined) }),
  response: z.unknown().optional(),
})
/** `Type/id` at the end of a URL, or `Type/id/_history/version`. */
const DELETED = /(?:^|\/)([A-Z][A-Za-z]{2,40})\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/([A-Za-z0-9\-.]{1,64}))?$/

/** An entry by which a source deletes a resource. */
export interface DeletedEntry extends Pick<IdentifiedEntry, 'index' | 'type' | 'id' | 'base' | 'version'> {
  readonly resource?: undefined
}

/** One version of a resource, or its deletion. */
export type EntryVersion = Entry | DeletedEntry

export interface ReadEntries {
  /** The number of entries of the bundle, readable or not. */
  readonly count: number
  /** The newest version of each resource. */
  readonly entries: readonly Entry[]
  /** Resources of which the newest version is a deletion. */
  readonly deleted: readonly DeletedEntry[]
  /** The versions of resources of which none is known to be the newest. */
  readonly conflicting: readonly (readonly EntryVersion[])[]
  /** Versions that are not imported, because a newer or an equal one is. */
  readonly superseded: readonly EntryVersion[]
  readonly faults: readonly EntryIssue[]
}

/**
 * The entries of a bundle of any kind, each resource in its newest version, and what is wrong with the rest. Two versions that differ are a
 * fault if nothing orders them, and neither is imported.
 *
 * @source https://hl7.org/fhir/R4/bundle.html
 */
export function readEntries(bundle: unknown): ReadEntries {
  const parsed = Bundle.safeParse(bundle)
  const nothing = { entries: [], deleted: [], conflicting: [], superseded: [] }
  if (!parsed.success) {
    return { count: 0, ...nothing, faults: [{ entry: WHOLE_BUNDLE, ...mappingIssue('Bundle', ISSUES.bundle) }] }
  }
  const isHistory = parsed.data.type === 'history'
  const faults: EntryIssue[] = []
  const read: EntryVersion[] = []
  for (const entry of withoutConfusedBases(parsed.data.entry.map((candidate, index) => readEntry(index, candidate, isHistory)))) {
    if ('reason' in entry) faults.push(entry)
    else read.push(entry)
  }
  const versions = Map.groupBy(read, ({ index, type, id }) => (id === undefined ? `#${index}` : `${type}/${id}`))
  const chosen = [...versions.values()].map((all) => newestOf(all, isSame))
  const conflicting = chosen.flatMap((choice) => (choice.newest === undefined ? [choice.conflicting] : []))
  for (const { index, type } of conflicting.flat()) faults.push({ entry: index, ...mappingIssue(type, ISSUES.versions) })
  const newest = chosen.flatMap((choice) => choice.newest ?? [])
  return {
    count: parsed.data.entry.length,
    entries: newest.filter((entry) => entry.resource !== undefined),
    deleted: newest.filter((entry) => entry.resource === undefined),
    conflicting,
    superseded: chosen.flatMap(({ older, repeated }) => [...older, ...repeated]),
    faults,
  }
}

/** Whether two entries state the same: both delete the resource, or their contents are equal. */
function isSame(one: EntryVersion, other: EntryVersion): boolean {
  if (one.resource === undefined) return other.resource === undefined
  if (other.resource === undefined) return false
  const isFit = unfit(one.type, one.resource) === undefined && unfit(other.type, other.resource) === undefined
  return isFit && contentDigest(one.resource) === contentDigest(other.resource)
}

function readEntry(index: number, candidate: unknown, isHistory: boolean): EntryVersion | EntryIssue {
  const parsed = BundleEntry.safeParse(candidate)
  const deletion = Deletion.safeParse(candidate)
  if (deletion.success) return deletedEntry(index, deletion.data, isHistory)
  if (!parsed.success) return { entry: index, ...mappingIssue('Bundle.entry', ISSUES.entry) }
  const { fullUrl, resource, response } = parsed.data
  const type = resource['resourceType']
  if (typeof type !== 'string' || !RESOURCE_TYPES.has(type)) {
    return { entry: index, ...mappingIssue('Bundle.entry.resource.resourceType', ISSUES.type) }
  }
  const { id, base, differing } = identityOf(resource, fullUrl)
  return {
    index,
    type,
    resource,
    version: versionOf(resource['meta'], response),
    ...(id !== undefined && { id }),
    ...(base !== undefined && { base }),
    ...(fullUrl !== undefined && { fullUrl }),
    ...(differing !== undefined && { confused: { why: ISSUES.fullUrl, names: differing } }),
  }
}

/** Two servers may give one id to two resources. Such entries lose their id: nothing shows which of them is meant. */
function withoutConfusedBases(entries: readonly (EntryVersion | EntryIssue)[]): readonly (EntryVersion | EntryIssue)[] {
  const bases = new Map<string, Set<string>>()
  for (const entry of entries) {
    if ('reason' in entry || entry.id === undefined || entry.base === undefined) continue
    const name = `${entry.type}/${entry.id}`
    bases.set(name, (bases.get(name) ?? new Set()).add(entry.base))
  }
  return entries.map((entry) => {
    if ('reason' in entry || entry.id === undefined) return entry
    const name = `${entry.type}/${entry.id}`
    if ((bases.get(name)?.size ?? 0) <= 1) return entry
    // the deletion of one of two resources removes neither
    if (entry.resource === undefined) return { entry: entry.index, ...mappingIssue('Bundle.entry.request', ISSUES.deletion) }
    const { index, type, base, fullUrl, resource, version } = entry
    const rest = { index, type, resource, version, ...(base !== undefined && { base }), ...(fullUrl !== undefined && { fullUrl }) }
    return { ...rest, confused: { why: ISSUES.bases, names: [name] } }
  })
}

/**
 * The URL of the request names the resource, or the full URL does. A conditional deletion names no single resource. In a history, the
 * URL can have the version of the deletion. Elsewhere, such a URL deletes one version, and the resource stays.
 */
function deletedEntry(
  index: number,
  { fullUrl = '', request: { url }, response }: z.output<typeof Deletion>,
  isHistory: boolean,
): DeletedEntry | EntryIssue {
  const [, type, id, version] = DELETED.exec(url ?? fullUrl) ?? []
  if (type === undefined || id === undefined || !RESOURCE_TYPES.has(type) || (version !== undefined && !isHistory)) {
    return { entry: index, ...mappingIssue('Bundle.entry.request', ISSUES.deletion) }
  }
  const base = serverUrl(url ?? '')?.base ?? serverUrl(fullUrl)?.base
  const meta = version === undefined ? undefined : { versionId: version }
  return { index, type, id, ...(base !== undefined && { base }), version: versionOf(meta, response) }
}

export function isIdentified(entry: Entry): entry is IdentifiedEntry {
  return entry.id !== undefined
}
