import type { ChainedItem } from './item.ts'
import { type LaneFinding, type LaneReport, verifyLane } from './lane.ts'
import { compareRegistry, type RegisteredLane, type RegistryFinding } from './registry.ts'
import { ITEMS_IN_FLIGHT } from './successions.ts'

type LanesFinding =
  | LaneFinding
  | RegistryFinding
  | ({ readonly tenant: string; readonly lane: string } & (
      | {
          /**
           * CUT_SHORT: the lane ends before the item that its successor names as acknowledged. WENT_ON: the lane has more than one
           * transaction beyond that item.
           */
          readonly kind: 'CUT_SHORT' | 'WENT_ON'
          readonly successor: string
          readonly held: number
          readonly declared: number
        }
      | {
          /** Several lanes of more than one transaction succeed this one. */
          readonly kind: 'FORKED'
          readonly successors: readonly string[]
        }
      | {
          /** LANE_MISSING: a successor names the lane, and none of its items are there. CIRCLE: the succession leads back to it. */
          readonly kind: 'LANE_MISSING' | 'CIRCLE'
        }
    ))

/** One lane of one tenant. */
interface NamedLane extends LaneReport {
  readonly tenant: string
  readonly lane: string
  /**
   * SUCCEEDED: another lane names the end of this one. OPEN: none does. The lane may be in use, be one of the last of its process or
   * of its hour, or have its end cut off. Checkpoints and receipts show which. An open lane is no finding.
   */
  readonly fate: 'SUCCEEDED' | 'OPEN'
}

export interface LanesReport {
  /** The number of items. */
  readonly count: number
  /** By tenant, then by name. */
  readonly lanes: readonly NamedLane[]
  /** First those within lanes, then those between them. An unaltered log gives none. */
  readonly findings: readonly LanesFinding[]
}

/**
 * Checks the items of any number of lanes and tenants, in any order. Every lane must be there from its first item.
 *
 * @param registered all lines of the registry. Only the registry shows that a lane without a successor was removed whole; without
 *   it, this is not checked
 */
export function verifyLanes(items: readonly ChainedItem[], registered?: readonly RegisteredLane[]): LanesReport {
  const byTenant = Map.groupBy(items, ({ tenant }) => tenant)
  const lanes: NamedLane[] = []
  const between: LanesFinding[] = []
  for (const tenant of [...new Set([...byTenant.keys(), ...(registered?.map((line) => line.tenant) ?? [])])].sort()) {
    const reports = new Map(
      [...Map.groupBy(byTenant.get(tenant) ?? [], ({ lane }) => lane)]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([lane, group]) => [lane, verifyLane(group.toSorted((one, other) => one.sequence - other.sequence))]),
    )
    const succeeded = new Set([...reports.values()].flatMap(({ succeeds }) => (succeeds === undefined ? [] : [succeeds.lane])))
    for (const [lane, report] of reports) lanes.push({ tenant, lane, fate: succeeded.has(lane) ? 'SUCCEEDED' : 'OPEN', ...report })
    between.push(...successions(tenant, reports))
    if (registered !== undefined) between.push(...compareRegistry(tenant, reports, registered))
  }
  return { count: items.length, lanes, findings: [...lanes.flatMap(({ findings }) => findings), ...between] }
}

type Reports = ReadonlyMap<string, LaneReport>

function successions(tenant: string, reports: Reports): readonly LanesFinding[] {
  const findings: LanesFinding[] = []
  const longSuccessors = new Map<string, string[]>()
  for (const [successor, { succeeds, count }] of reports) {
    if (succeeds === undefined) continue
    const { lane, sequence: declared } = succeeds
    const held = reports.get(lane)?.end?.sequence ?? 0
    const finding = { tenant, lane, successor, held, declared }
    if (held === 0 && declared > 0) findings.push({ kind: 'LANE_MISSING', tenant, lane })
    else if (held < declared) findings.push({ kind: 'CUT_SHORT', ...finding })
    else if (held > declared + ITEMS_IN_FLIGHT) findings.push({ kind: 'WENT_ON', ...finding })
    // the successor of a lane without an acknowledged item names the lane before that one: two may then name the same
    if (count > ITEMS_IN_FLIGHT) longSuccessors.set(lane, [...(longSuccessors.get(lane) ?? []), successor])
    if (circles(successor, reports)) findings.push({ kind: 'CIRCLE', tenant, lane: successor })
  }
  for (const [lane, successors] of longSuccessors)
    if (successors.length > 1) findings.push({ kind: 'FORKED', tenant, lane, successors })
  return findings
}

function circles(from: string, reports: Reports): boolean {
  const seen = new Set<string>()
  for (let lane: string | undefined = from; lane !== undefined; lane = reports.get(lane)?.succeeds?.lane) {
    if (seen.has(lane)) return lane === from
    seen.add(lane)
  }
  return false
}
