import { CLOCK_TOLERANCE_MS, HOUR_MS, LINGER_MS } from './hour-limits.ts'
import type { LaneReport } from './lane.ts'

/** A line of the registry of lanes: `lanes.jsonl` of an export. */
export interface RegisteredLane {
  readonly tenant: string
  readonly lane: string
  /** The hour that the lane was opened in, in UTC: `2026-11-28T17`. Searches by time read the lanes of an hour. */
  readonly hour: string
}

export interface RegistryFinding {
  readonly tenant: string
  readonly lane: string
  /**
   * LANE_MISSING: the registry names the lane, and none of its items are there. UNREGISTERED: the lane has items, and the registry
   * does not name it. WRONG_HOUR: the registry names the lane in several hours, or in one that its items cannot be of. A search by
   * time does not find them there.
   */
  readonly kind: 'LANE_MISSING' | 'UNREGISTERED' | 'WRONG_HOUR'
}

const HOUR = /^\d{4}-\d\d-\d\dT\d\d$/

/** Compares the lanes of one tenant with the registry. */
export function compareRegistry(
  tenant: string,
  reports: ReadonlyMap<string, Pick<LaneReport, 'times'>>,
  registered: readonly RegisteredLane[],
): readonly RegistryFinding[] {
  const hours = Map.groupBy(
    registered.filter((line) => line.tenant === tenant),
    ({ lane }) => lane,
  )
  const found = (kind: RegistryFinding['kind'], lanes: readonly string[]): RegistryFinding[] =>
    lanes.map((lane) => ({ kind, tenant, lane }))
  const names = [...hours.keys()]
  return [
    ...found(
      'LANE_MISSING',
      names.filter((lane) => !reports.has(lane)),
    ),
    ...found(
      'UNREGISTERED',
      [...reports.keys()].filter((lane) => !hours.has(lane)),
    ),
    ...found(
      'WRONG_HOUR',
      names.filter((lane) => !isConsistent(hours.get(lane) ?? [], reports.get(lane)?.times)),
    ),
  ]
}

function isConsistent(lines: readonly RegisteredLane[], times: LaneReport['times']): boolean {
  const [line, ...others] = lines
  if (line === undefined || others.length > 0 || !HOUR.test(line.hour)) return false
  const start = Date.parse(`${line.hour}:00:00.000Z`)
  if (Number.isNaN(start)) return false
  if (times === undefined) return true
  return times.first >= start - LINGER_MS - CLOCK_TOLERANCE_MS && times.last < start + HOUR_MS + CLOCK_TOLERANCE_MS
}
