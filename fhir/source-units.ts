import { posix } from 'node:path'
import { isObject } from './object.ts'
import { type ExportManifest, baseOf, compareWithManifest, isLogLine, readManifest } from './export-manifest.ts'

/** Where an entry is: the file, the line of NDJSON from 1, the index in `Bundle.entry`, and those in bundles within. */
export interface EntryPlace {
  readonly file: string
  readonly line?: number
  readonly entry?: number
  readonly inner?: readonly number[]
}

/** What is mapped together: references lead from one entry to another one of the same unit. */
export interface SourceUnit {
  readonly bundle: unknown
  readonly characters: number
  /** @param path index in `Bundle.entry`, then those in the bundles within; empty for the whole unit */
  readonly placeOf: (path: readonly number[]) => EntryPlace
}

interface Value {
  readonly name: string
  readonly line?: number
  readonly value: unknown
  readonly characters: number
}

/** A fault of a file, with a fixed text. */
export interface FileFault extends EntryPlace {
  readonly reason: string
}

/**
 * The largest collection, in characters. All resources outside of bundles are one collection, and memory holds it: the records of a
 * bulk export are in other files than their patients.
 */
const MAX_COLLECTION_CHARACTERS = 400 * 1024 * 1024

interface Loose {
  readonly entry: Readonly<Record<string, unknown>>
  readonly place: EntryPlace
}

/** Sorts the values of files: bundles are units of their own. All other resources are one collection, with the pages of searches. */
export class SourceUnits {
  readonly #max: number
  /** The resources outside of bundles. Empty again once they are too many. */
  #loose: Loose[] = []
  #characters = 0
  /** The number of resources outside of bundles, by file. */
  readonly #counts = new Map<string, number>()
  readonly #manifests: { readonly file: string; readonly manifest: ExportManifest }[] = []
  readonly #pages = { here: new Set<string>(), next: [] as string[] }

  constructor(maxCharacters: number = MAX_COLLECTION_CHARACTERS) {
    this.#max = maxCharacters
  }

  /**
   * Returns a bundle as a unit, `passed over` for a value that is no resource by its nature, `kept` for resources and `page` for a page that
   * the collection gets, `empty` for a bundle without entries, and `not a resource` for a line of anything else.
   */
  take({ name, line, value, characters }: Value): SourceUnit | 'passed over' | 'kept' | 'page' | 'empty' | 'not a resource' {
    const place: EntryPlace = { file: name, ...(line !== undefined && { line }) }
    if (isLogLine(value)) return 'passed over'
    const manifest = readManifest(value)
    if (manifest !== undefined) {
      this.#manifests.push({ file: name, manifest })
      return 'passed over'
    }
    if (isObject(value) && typeof value['resourceType'] === 'string' && value['resourceType'] !== 'Bundle') {
      this.#keep({ entry: { resource: value }, place }, characters)
      return 'kept'
    }
    if (line !== undefined && !(isObject(value) && value['resourceType'] === 'Bundle')) return 'not a resource'
    const deletions = deletionsOf(value)
    for (const [index, entry] of deletions.entries()) this.#keep({ entry, place: { ...place, entry: index } }, characters)
    if (deletions.length > 0) return 'kept'
    this.#notePage(value)
    if (isObject(value) && entriesOf(value)?.length === 0) return 'empty'
    if (isPage(value)) {
      this.#keep({ entry: { resource: value }, place }, characters, entriesOf(value)?.length)
      return 'page'
    }
    return { bundle: value, characters, placeOf: ([entry, ...inner]) => placeWithin(place, entry, inner) }
  }

  /** The collection of all resources outside of bundles; undefined if there are none, or too many. */
  collection(): SourceUnit | undefined {
    if (this.#loose.length === 0) return undefined
    const loose = this.#loose
    const bases = new Map(this.#manifests.map(({ file, manifest }) => [folderOf(file), baseOf(manifest)]))
    return {
      bundle: { resourceType: 'Bundle', type: 'collection', entry: loose.map((one) => withUrl(one, bases)) },
      characters: this.#characters,
      placeOf: ([index = 0, ...inner]) => {
        const place = loose[index]?.place ?? { file: '' }
        const [entry, ...within] = inner
        return placeWithin(place, entry, within)
      },
    }
  }

  /** The number of resources outside of bundles by file, if they are too many to be read together. */
  refused(): ReadonlyMap<string, number> {
    return this.#characters > this.#max ? this.#counts : new Map()
  }

  /** Faults of files as a whole, once all are read. */
  faults(): readonly FileFault[] {
    const [tooMany] = this.refused().keys()
    return [
      ...this.#manifests.flatMap((one) => this.#faultsOf(one)),
      ...(tooMany === undefined ? [] : [{ file: tooMany, reason: TOO_MANY }]),
    ]
  }

  /** The number of pages whose next page is not among the files. */
  missingPages(): number {
    const pages = this.#pages.next.filter((url) => !this.#pages.here.has(url)).length
    return pages + this.#manifests.filter(({ manifest }) => manifest.link.some(({ relation }) => relation === 'next')).length
  }

  #faultsOf({ file, manifest }: { readonly file: string; readonly manifest: ExportManifest }): readonly FileFault[] {
    const beside = new Map([...this.#counts].filter(([other]) => folderOf(other) === folderOf(file)))
    const { missing, different } = compareWithManifest(manifest, beside)
    const lacking = missing === 0 ? [] : [{ file, reason: `the manifest lists files that are not here: ${missing}` }]
    return [...lacking, ...different.map((other) => ({ file: other, reason: OTHER_COUNT }))]
  }

  #keep(one: Loose, characters: number, entries = 1): void {
    this.#characters += characters
    this.#counts.set(one.place.file, (this.#counts.get(one.place.file) ?? 0) + entries)
    if (this.#characters > this.#max) this.#loose = []
    else this.#loose.push(one)
  }

  #notePage(bundle: unknown): void {
    for (const { relation, url } of linksOf(bundle)) {
      if (typeof url !== 'string') continue
      if (relation === 'self') this.#pages.here.add(url)
      if (relation === 'next') this.#pages.next.push(url)
    }
  }
}

const PAGED: ReadonlySet<unknown> = new Set(['next', 'previous', 'prev'])

/**
 * Whether a bundle is one of several pages. Records of one page refer to patients of another one. Not every server links the last page with the one
 * before it, so that the answer to a search without a patient counts.
 *
 * @source https://hl7.org/fhir/R4/http.html#paging
 */
function isPage(bundle: unknown): bundle is Readonly<Record<string, unknown>> {
  if (!isObject(bundle) || bundle['type'] !== 'searchset' || entriesOf(bundle) === undefined) return false
  return linksOf(bundle).some(({ relation }) => PAGED.has(relation)) || !entriesOf(bundle)?.some(isPatient)
}

function isPatient(entry: unknown): boolean {
  const resource = isObject(entry) ? entry['resource'] : undefined
  return isObject(resource) && resource['resourceType'] === 'Patient'
}

function linksOf(bundle: unknown): readonly Readonly<Record<string, unknown>>[] {
  const links: readonly unknown[] = isObject(bundle) && Array.isArray(bundle['link']) ? bundle['link'] : []
  return links.filter(isObject)
}

/** The entries of a bundle; undefined if they are no list. */
function entriesOf({ entry = [] }: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  return Array.isArray(entry) ? (entry as readonly unknown[]) : undefined
}

const TOO_MANY =
  'the resources outside of bundles, and on pages of searches, are too many to be read together; import fewer patients at a time'
const OTHER_COUNT = 'the file has not as many resources as the manifest lists'

const folderOf = (file: string): string => posix.dirname(file)

const placeWithin = (place: EntryPlace, entry: number | undefined, inner: readonly number[]): EntryPlace => ({
  ...place,
  ...(entry !== undefined && { entry }),
  ...(inner.length > 0 && { inner }),
})

/** The entries of a bundle that only deletes, as a bulk export has them. Records of the same export refer to the same patients. */
function deletionsOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!isObject(value) || value['resourceType'] !== 'Bundle' || value['type'] !== 'transaction') return []
  const entries: readonly unknown[] = Array.isArray(value['entry']) ? value['entry'] : []
  const deletions = entries.filter(isObject).filter(({ request, resource }) => {
    return resource === undefined && isObject(request) && request['method'] === 'DELETE'
  })
  return deletions.length === entries.length ? deletions : []
}

/** A resource of an export gets the full URL that it has on its server, so that absolute references lead to it. */
function withUrl({ entry, place }: Loose, bases: ReadonlyMap<string, string | undefined>): Readonly<Record<string, unknown>> {
  const base = bases.get(folderOf(place.file))
  const { resource } = entry
  if (base === undefined || !isObject(resource) || typeof resource['id'] !== 'string') return entry
  return { ...entry, fullUrl: `${base}/${String(resource['resourceType'])}/${resource['id']}` }
}
