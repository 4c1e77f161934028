import { counted } from '../../model/counted.ts'

/** The measures: records, patients and paths that gave something, and paths that nobody else of the role read. */
type PeerMeasure = 'RECORDS' | 'PATIENTS' | 'PATHS' | 'SOLE_PATH'

/** A user of a role and what the user read. */
export interface UserVolume {
  readonly role: string
  readonly user: string
  readonly records: number
  readonly patients: number
  readonly paths: number
}

/** A path that one user of a role read alone. */
export interface SolePath {
  readonly role: string
  readonly user: string
  readonly path: string
  readonly records: number
}

/** A user who differs from the other users of a role. */
export interface PeerOutlier {
  readonly role: string
  readonly userId: string
  readonly measure: PeerMeasure
  readonly value: number
  /** Of the group. For SOLE_PATH: 0. */
  readonly median: number
  /** The distance from the median in robust standard deviations of ln(1 + value). For SOLE_PATH: absent. */
  readonly score?: number
  /** Number of users in the group. */
  readonly peers: number
  readonly evidence: string
}

/** In a smaller group, one user moves the median. */
export const MIN_PEERS = 8
/** Iglewicz and Hoaglin (1993), "How to Detect and Handle Outliers": a modified z-score above 3.5. */
const MIN_SCORE = 3.5
/** Below this multiple of the median, a difference is no reason to ask. */
const MIN_RATIO = 2
/** Below this number of records, nothing is reported. */
const MIN_RECORDS = 20
/** The median absolute deviation of a normal distribution, in standard deviations. */
const MAD_OF_NORMAL = 0.6745
/** If all peers are nearly equal: a deviation of about 10 percent. */
const MIN_DEVIATION = 0.1

const WORDS = { RECORDS: 'field record', PATIENTS: 'patient', PATHS: 'different field' } as const

/**
 * The users of a role who read more than their peers: more records, of more patients, or more different fields. Values are compared as
 * ln(1 + value), because volumes are skewed. Users who read less are none: they need no narrower right.
 *
 * @param volumes of complete roles
 */
export function peerOutliers(volumes: readonly UserVolume[], soles: readonly SolePath[]): readonly PeerOutlier[] {
  const groups = [...Map.groupBy(volumes, ({ role }) => role)].filter(([, users]) => users.length >= MIN_PEERS)
  const sizes = new Map(groups.map(([role, users]) => [role, users.length]))
  const found = groups.flatMap(([, users]) => [
    ...beyond(users, 'RECORDS', ({ records }) => records),
    ...beyond(users, 'PATIENTS', ({ patients }) => patients),
    ...beyond(users, 'PATHS', ({ paths }) => paths),
  ])
  const alone = soles.flatMap(({ role, user, path, records }): readonly PeerOutlier[] => {
    const peers = sizes.get(role)
    if (peers === undefined || records < MIN_RECORDS) return []
    const evidence = `Read ${path} ${counted(records, 'time')}; none of the other ${counted(peers - 1, 'user')} with the role ${role} read it.`
    return [{ role, userId: user, measure: 'SOLE_PATH', value: records, median: 0, peers, evidence }]
  })
  return [...found.toSorted((one, other) => (other.score ?? 0) - (one.score ?? 0)), ...alone]
}

function beyond(
  users: readonly UserVolume[],
  measure: keyof typeof WORDS,
  valueOf: (user: UserVolume) => number,
): readonly PeerOutlier[] {
  const scaled = users.map((user) => Math.log1p(valueOf(user)))
  const center = median(scaled)
  const deviation = Math.max(median(scaled.map((one) => Math.abs(one - center))) / MAD_OF_NORMAL, MIN_DEVIATION)
  const middle = median(users.map(valueOf))
  return users.flatMap((user): readonly PeerOutlier[] => {
    const value = valueOf(user)
    const score = round((Math.log1p(value) - center) / deviation)
    if (score < MIN_SCORE || value < MIN_RATIO * middle || user.records < MIN_RECORDS) return []
    const evidence = `Read ${counted(value, WORDS[measure])}; the median of ${counted(users.length, 'user')} with the role ${user.role} is ${count(middle)} (robust z ${score}).`
    return [{ role: user.role, userId: user.user, measure, value, median: middle, score, peers: users.length, evidence }]
  })
}

/** @param values at least one */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const [low = 0, high = 0] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]]
  return (low + high) / 2
}

const round = (value: number): number => Math.round(value * 10) / 10
const count = (value: number): string => value.toLocaleString('en-US')
