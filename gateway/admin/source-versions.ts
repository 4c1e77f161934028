import type { RecordId } from '../model/ids.ts'
import { compareVersions, latestOf, type SourceResource, type SourceVersion, type VersionOrder } from '../model/source.ts'
import type { RecordLocator } from '../store/record-locators.ts'

/**
 * What an import does with a resource:
 * - APPLY: it is the newest version.
 * - OUTDATED: the store has a newer version. Nothing changes.
 * - CONFLICT: another version differs, and nothing orders the two. No chart has the resource.
 * - REVIVAL: the source retracted the same text before, and no version shows that this one is newer. Nothing changes.
 */
export type VersionVerdict = 'APPLY' | 'OUTDATED' | 'CONFLICT' | 'REVIVAL'

interface Seen {
  readonly version: SourceVersion
  readonly digest: string
  readonly isConflict: boolean
}

type Versioned = Pick<SourceResource, 'id' | 'version' | 'digest'>

/**
 * Decides which version of a resource is the newest one. The order of files and entries decides nothing. Only the order of two imports
 * does, if their versions have no order.
 */
export class SourceVersions {
  /** The newest version of each resource in this import. */
  readonly #seen = new Map<RecordId, Seen>()

  judge(resource: Versioned, stored: RecordLocator | undefined): VersionVerdict {
    const { id, version, digest } = resource
    const seen = this.#seen.get(id)
    const inImport = seen === undefined ? 'NEWER' : compareVersions(version, seen.version)
    if (seen !== undefined && inImport !== 'NEWER') {
      if (inImport === 'OLDER') return 'OUTDATED'
      if (seen.isConflict || seen.digest !== digest) return this.#conflict(resource, seen.version)
    }
    const order = stored === undefined ? 'NEWER' : compareVersions(version, stored.version)
    const verdict = stored === undefined ? 'APPLY' : verdictOf(order, digest, stored)
    if (verdict === 'CONFLICT') return this.#conflict(resource, stored?.version ?? {})
    if (verdict === 'APPLY') this.#seen.set(id, { version, digest, isConflict: false })
    return verdict
  }

  #conflict({ id, version }: Versioned, other: SourceVersion): 'CONFLICT' {
    this.#seen.set(id, { version: latestOf(version, other), digest: '', isConflict: true })
    return 'CONFLICT'
  }
}

function verdictOf(order: VersionOrder, digest: string, stored: RecordLocator): VersionVerdict {
  switch (order) {
    case 'NEWER':
      return 'APPLY'
    case 'OLDER':
      return 'OUTDATED'
    case 'CONTRADICTORY':
      return digest === stored.digest ? 'APPLY' : 'CONFLICT'
    case 'EQUAL':
    case 'UNKNOWN':
      return digest !== stored.digest && stored.former.includes(digest) ? 'REVIVAL' : 'APPLY'
    default:
      return order satisfies never
  }
}
