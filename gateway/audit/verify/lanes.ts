import type { ChainedEntry } from './entry.ts'
import { type LaneFinding, type LaneReport, verifyLane } from './lane.ts'

/** A transaction of audit records: a retired lane may hold one that its writer was never told of. */
const RECORDS_IN_FLIGHT = 99

type LanesFinding =
  | LaneFinding
  | ({ readonly tenant: string; readonly lane: string } & (
      | {
          /** The lane ends before the record that its successor's writer was told to be stored. */
          readonly kind: 'CUT_SHORT'
          readonly successor: string
          readonly held: number
          readonly declared: number
        }
      | {
          /** The lane goes on for more than one transaction after its successor's writer had left it. */
          readonly kind: 'WENT_ON'
          readonly successor: string
          readonly held: number
          readonly declared: number
        }
      | {
          /** Several lanes that hold more than one transaction each say that they succeed this one. */
          readonly kind: 'FORKED'
          readonly successors: readonly string[]
        }
      | {
          /** The lane is named, by a successor or by the registry, and none of its records are there. */
          readonly kind: 'LANE_MISSING'
        }
      | {
          /** The lane has records and the registry does not name it. */
          readonly kind: 'UNREGISTERED'
        }
      | {
          /** Who follows the succession from here comes back here. */
          readonly kind: 'CIRCLE'
        }
    ))

/** One lane of one tenant. */
interface NamedLane extends LaneReport {
  readonly tenant: string
  readonly lane: string
  /**
   * Whether a successor says where the lane had to end. Nothing here vouches for the end of an OPEN one: a lane in use, the
   * last of a process, or one whose end was cut off. Checkpoints and receipts do.
   */
  readonly fate: 'SUCCEEDED' | 'OPEN'
}

export interface LanesReport {
  readonly count: number
  /** By tenant, then by name. */
  readonly lanes: readonly NamedLane[]
  /** First those within lanes, then those between them. None at all is what an unaltered log gives. */
  readonly findings: readonly LanesFinding[]
}

/**
 * Checks the records of any number of lanes and tenants, in whatever order they come: the sequence says where each belongs.
 * Every lane must be there from its first record.
 *
 * @param registered names of all lanes by tenant, from the registry; a lane that was removed with all its records and that
 *   nobody succeeded is missed by nothing else here. Left out where it cannot be had
 */
export function verifyLanes(entries: readonly ChainedEntry[], registered?: ReadonlyMap<string, readonly string[]>): LanesReport {
  const byTenant = Map.groupBy(entries, ({ tenant }) => tenant)
  const lanes: NamedLane[] = []
  const between: LanesFinding[] = []
  for (const tenant of [...new Set([...byTenant.keys(), ...(registered?.keys() ?? [])])].sort()) {
    const reports = new Map(
      [...Map.groupBy(byTenant.get(tenant) ?? [], ({ lane }) => lane)]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([lane, group]) => [lane, verifyLane(group.toSorted((one, other) => one.sequence - other.sequence))]),
    )
    const succeeded = new Set([...reports.values()].flatMap(({ succeeds }) => (succeeds === undefined ? [] : [succeeds.lane])))
    for (const [lane, report] of reports) lanes.push({ tenant, lane, fate: succeeded.has(lane) ? 'SUCCEEDED' : 'OPEN', ...report })
    between.push(...successions(tenant, reports), ...registry(tenant, reports, registered))
  }
  return { count: entries.length, lanes, findings: [...lanes.flatMap(({ findings }) => findings), ...between] }
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
    else if (held > declared + RECORDS_IN_FLIGHT) findings.push({ kind: 'WENT_ON', ...finding })
    // a lane whose first transaction was never acknowledged is passed over: its successor names whom it was to succeed
    if (count > RECORDS_IN_FLIGHT) longSuccessors.set(lane, [...(longSuccessors.get(lane) ?? []), successor])
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

function registry(
  tenant: string,
  reports: Reports,
  registered: ReadonlyMap<string, readonly string[]> | undefined,
): readonly LanesFinding[] {
  if (registered === undefined) return []
  const names = new Set(registered.get(tenant))
  return [
    ...[...names].filter((lane) => !reports.has(lane)).map((lane) => ({ kind: 'LANE_MISSING', tenant, lane }) as const),
    ...[...reports.keys()].filter((lane) => !names.has(lane)).map((lane) => ({ kind: 'UNREGISTERED', tenant, lane }) as const),
  ]
}
