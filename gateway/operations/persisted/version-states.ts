import type { AppVersion, RegisteredClient, VersionState } from '../../model/registered-operation.ts'

/** A version of an application that contains an operation, and the number of the publication that added the operation to it. */
export type PublishedIn = readonly [app: string, version: string, publication: number]

/** The state of one version of an application. */
interface VersionEntry extends AppVersion {
  readonly state: VersionState
  /** The number of its first publication. An older publication was for a former version of this name, or was never finished. */
  readonly since: number
}

/** The versions of a client's applications, the oldest first. */
export interface VersionStates {
  readonly entries: readonly VersionEntry[]
  /** The numbers of publications that began and did not end. Their operations are not served. */
  readonly unfinished: readonly number[]
}

export const NO_VERSIONS: VersionStates = { entries: [], unfinished: [] }

/** The versions of one client. */
const MAX_VERSIONS = 200
/** A publication stays unfinished if its process was ended. Later publications replace its operations, not its number. */
const MAX_UNFINISHED = 1_000

const isOf =
  ({ app, version }: AppVersion) =>
  (entry: AppVersion): boolean =>
    entry.app === app && entry.version === version

export const entryOf = ({ entries }: VersionStates, of: AppVersion): VersionEntry | undefined => entries.find(isOf(of))

/** The entry of the version that a publication added an operation to; undefined if the publication does not count. */
export function publishedIn(states: VersionStates, [app, version, publication]: PublishedIn): VersionEntry | undefined {
  const entry = entryOf(states, { app, version })
  return entry !== undefined && entry.since <= publication && !states.unfinished.includes(publication) ? entry : undefined
}

/** Whether one of the publications added the operation to a version that is active. */
export const isServed = (states: VersionStates, publications: readonly PublishedIn[]): boolean =>
  publications.some((one) => publishedIn(states, one)?.state === 'ACTIVE')

/** The states with a version in this state. Undefined if there is no such version. */
export function withState(states: VersionStates, of: AppVersion, state: VersionState): VersionStates | undefined {
  if (entryOf(states, of) === undefined) return undefined
  return { ...states, entries: states.entries.map((entry) => (isOf(of)(entry) ? { ...entry, state } : entry)) }
}

/** The states while a publication is under way. Undefined if too many were never finished. */
export function begun(states: VersionStates, publication: number): VersionStates | undefined {
  if (states.unfinished.length >= MAX_UNFINISHED) return undefined
  return { ...states, unfinished: [...states.unfinished, publication] }
}

/**
 * The states after a publication. An active version stays active, and its new operations are served from now on. Beyond the maximum,
 * the oldest retired version is dropped.
 *
 * @returns undefined if no version can be dropped
 */
export function published(
  states: VersionStates,
  of: AppVersion,
  publication: number,
  state: 'PENDING' | 'ACTIVE',
): VersionStates | undefined {
  const unfinished = states.unfinished.filter((one) => one !== publication)
  const before = entryOf(states, of)
  if (before !== undefined) return withState({ ...states, unfinished }, of, before.state === 'ACTIVE' ? 'ACTIVE' : state)
  const { app, version } = of
  const added = [...states.entries, { app, version, state, since: publication }]
  if (added.length <= MAX_VERSIONS) return { entries: added, unfinished }
  const oldest = added.findIndex((entry) => entry.state === 'RETIRED')
  return oldest < 0 ? undefined : { entries: added.toSpliced(oldest, 1), unfinished }
}

/** The states by application and version. Without a prototype: a client can name a version `constructor`. */
export function byApplication({ entries }: VersionStates): RegisteredClient['apps'] {
  const apps = Object.create(null) as Record<string, Record<string, VersionState>>
  for (const { app, version, state } of entries) {
    apps[app] ??= Object.create(null) as Record<string, VersionState>
    apps[app][version] = state
  }
  return apps
}
