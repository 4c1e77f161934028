import { z } from 'zod'
import { compareVersions, latestOf, type SourceVersion } from '../gateway/model/source.ts'
import { firstInstant } from './instant.ts'

const INSTANT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/
const NANOSECONDS = 9

const text = z.string().min(1).max(64).optional().catch(undefined)
const Instant = z
  .string()
  .transform((at) => canonicalInstant(at))
  .optional()
  .catch(undefined)

const Meta = z.object({ versionId: text, lastUpdated: Instant }).catch({})
/** `W/"3"`: the version of a RESTful response. @source https://hl7.org/fhir/R4/http.html#versioning */
const ETag = z
  .string()
  .transform((tag) => /^(?:W\/)?"([^"]{1,64})"$/.exec(tag)?.[1])
  .optional()
  .catch(undefined)
const Response = z.object({ etag: ETag, lastModified: Instant }).catch({})

/**
 * The version of a bundle's entry: `meta` of the resource, else what the server answered. A part that is missing or malformed is absent.
 *
 * @source https://hl7.org/fhir/R4/resource.html#Meta, https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response
 */
export function versionOf(meta: unknown, response: unknown): SourceVersion {
  const own = Meta.parse(meta)
  const answered = Response.parse(response)
  const versionId = own.versionId ?? answered.etag
  const lastUpdated = own.lastUpdated ?? answered.lastModified
  return { ...(versionId !== undefined && { versionId }), ...(lastUpdated !== undefined && { lastUpdated }) }
}

/** UTC with nine digits after the second: servers state times that differ by less than a millisecond. */
function canonicalInstant(at: string): string | undefined {
  const [, seconds, fraction = '', zone] = INSTANT.exec(at) ?? []
  if (seconds === undefined || zone === undefined) return undefined
  try {
    const utc = firstInstant(`${seconds}${zone}`).slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)
    return `${utc}.${fraction.slice(0, NANOSECONDS).padEnd(NANOSECONDS, '0')}Z`
  } catch {
    return undefined
  }
}

/** An entry in one version of its resource. */
interface Versioned {
  readonly version: SourceVersion
}

/** The versions of one resource in a bundle, by what becomes of them. */
export interface VersionChoice<Entry> {
  /** Undefined if versions differ and nothing orders them. */
  readonly newest: Entry | undefined
  readonly older: readonly Entry[]
  /** Equal to the newest one. */
  readonly repeated: readonly Entry[]
  readonly conflicting: readonly Entry[]
}

/**
 * Chooses the newest of the entries of one resource by their versions. The place in the bundle decides nothing.
 *
 * @param isSame whether two entries state the same of the resource
 */
export function newestOf<Entry extends Versioned>(
  entries: readonly Entry[],
  isSame: (one: Entry, other: Entry) => boolean,
): VersionChoice<Entry> {
  const latest = entries.filter((one) => !entries.some((other) => compareVersions(other.version, one.version) === 'NEWER'))
  const older = entries.filter((one) => !latest.includes(one))
  const [first, ...others] = latest
  if (first === undefined || others.some((other) => !isSame(first, other))) {
    return { newest: undefined, older: [], repeated: [], conflicting: entries }
  }
  return { newest: first, older, repeated: others, conflicting: [] }
}

/** The latest parts of all versions. */
export const latestVersion = (entries: readonly Versioned[]): SourceVersion =>
  entries.reduce<SourceVersion>((latest, { version }) => latestOf(latest, version), {})
