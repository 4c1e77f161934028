import type { AnomalyKind } from '../../../../../gateway/oversight/anomalies/finding.ts'
import { BASELINE_DAYS, JUDGED_DAYS, localTime } from './calendar.ts'
import { CHART, CHECK_IN, CLAIM, RESULTS, SUMMARY } from './fields.ts'
import type { Known } from './known-traffic.ts'
import type { SeededRandom } from './random.ts'
import { idOf, type Staff, type Worker } from './staff.ts'
import { BY_ORGANIZATION, type Grounds, type Member, membershipOf, type Request } from './traffic.ts'

/** One act of misuse that the simulator adds to the usual traffic. */
export interface Plant {
  readonly kind: AnomalyKind
  readonly user: string
  /** All users, if several did it together. */
  readonly crowd?: readonly string[]
  /** The patients of its accesses. */
  readonly patients: ReadonlySet<string>
  /** Of its accesses, in milliseconds since the epoch, inclusive. */
  readonly from: number
  readonly to: number
}

/** The acts so far. */
export interface Planting {
  readonly random: SeededRandom
  readonly staff: Staff
  readonly known: Known
  /** The reads of each patient, so far. */
  readonly reads: Map<string, Request[]>
  readonly requests: Request[]
  readonly plants: Plant[]
  /** Users and days that have a plant: one act a day. */
  readonly taken: Set<string>
  made: number
}

export const newId = (planting: Planting): string => idOf('planted', planting.made++)
export const strength = (random: SeededRandom, { least, most }: { readonly least: number; readonly most: number }): number =>
  random.between(least, most)

export function remember({ reads }: Planting, request: Request): void {
  const patients = request.accesses.flatMap(({ patient, outcome }) =>
    outcome === 'DISCLOSED' && patient !== undefined ? [patient] : [],
  )
  for (const patient of new Set(patients)) {
    const known = reads.get(patient)
    if (known === undefined) reads.set(patient, [request])
    else known.push(request)
  }
}

/** Adds the requests of one act. */
export function plant(planting: Planting, kind: AnomalyKind, requests: readonly Request[], crowd?: readonly string[]): void {
  const times = requests.filter(({ member }) => member.role !== 'PRIVACY_OFFICER').map(({ at }) => at)
  const [first] = requests
  if (first === undefined) throw new RangeError('an act of misuse has a request')
  planting.requests.push(...requests)
  for (const request of requests) remember(planting, request)
  const patients = new Set(requests.flatMap(({ accesses }) => accesses.flatMap(({ patient }) => patient ?? [])))
  planting.plants.push({
    kind,
    user: first.member.user,
    ...(crowd && { crowd }),
    patients,
    from: Math.min(...times),
    to: Math.max(...times),
  })
}

/** A member and a day without another act. */
export function target<One extends Member>(
  { random, taken }: Planting,
  members: readonly One[],
  isFit: (member: One, day: number) => boolean,
  [first, last]: readonly [number, number] = [BASELINE_DAYS, BASELINE_DAYS + JUDGED_DAYS - 1],
): readonly [One, number] {
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const [member, day] = [random.pick(members), random.int(first, last)]
    if (!isFit(member, day) || taken.has(`${member.user} ${day}`)) continue
    taken.add(`${member.user} ${day}`)
    return [member, day]
  }
  throw new RangeError('the clinic has no day left for another act')
}

/** Workers with a habit: those who begin in the judged days are judged by their peers only, and get no plants. */
export const established = (...groups: readonly (readonly Worker[])[]): Worker[] =>
  groups.flat().filter(({ starts }) => starts === 0)

/** Times within a usual day, spread over some hours. */
export const during = (random: SeededRandom, worker: Worker, day: number, hours: number): (() => number) => {
  const start = random.between(worker.from + 0.5, worker.to - 0.5 - hours)
  return () => localTime(day, random.between(start, start + hours))
}

export function groundsOf(
  staff: Staff,
  worker: Worker,
  day: number,
): { readonly patients: readonly string[]; readonly of: (patient: string) => Grounds } {
  const panel = staff.panels.get(worker.user)
  if (panel !== undefined) {
    const since = new Map(panel.map((one) => [one.id, one.since]))
    return { patients: panel.map(({ id }) => id), of: (id) => membershipOf(worker, id, since.get(id) ?? localTime(day, 7)) }
  }
  const panels = [...staff.panels.values()].flatMap((all) => all.map(({ id }) => id))
  if (worker.role === 'NURSE') return { patients: panels, of: (id) => membershipOf(worker, id, localTime(day, 7)) }
  if (worker.role === 'RESEARCHER') return { patients: staff.others, of: () => ({ basis: 'STUDY', basisId: 'IRB-7' }) }
  return { patients: [...panels, ...staff.others], of: () => BY_ORGANIZATION }
}

export const screenOf = ({ role }: Member): readonly string[] =>
  role === 'FRONT_DESK'
    ? CHECK_IN
    : role === 'BILLING'
      ? CLAIM
      : role === 'RESEARCHER'
        ? ['Patient.birthDate#4', 'Observation.code#4']
        : [...SUMMARY, ...CHART, ...RESULTS]
