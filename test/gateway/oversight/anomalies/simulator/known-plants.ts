import { BASELINE_DAYS, JUDGED_DAYS, localTime } from './calendar.ts'
import { CHART, RESULTS, SUMMARY } from './fields.ts'
import { during, established, groundsOf, newId, plant, type Planting, screenOf, strength, target } from './planting.ts'
import { isAtWork, type Worker } from './staff.ts'
import type { KnownPatient } from './town.ts'
import { BY_ORGANIZATION, disclosed, type Grounds, type Request } from './traffic.ts'

/**
 * The least strength of a plant about a known patient, as in `plants.ts`: chosen before any result.
 *
 * | kind | a plant is | because |
 * | --- | --- | --- |
 * | SELF | one look at one value of the own record, in the role's own way | patients have a portal: no look is work |
 * | FAMILY, NEIGHBOR, CO_WORKER | a nurse or physician without a membership, 4 values; or by break-glass without a review, one chart | as MEMBERSHIP, and a look at one field is an accident |
 * | | a clerk of the desk or of billing, 8 screens of 4 values on 1 to 5 days of work | a call, a check-in, a claim, and a correction of each, are 6 |
 * | VIP | as NEIGHBOR; every third is 10 users with one screen each within 2 days | a visit that is prepared has 4 clerks, and two visits in a week up to 7 |
 *
 * Patients are drawn without regard to visits: some plants are beside honest work.
 */
const LEAST = {
  ownValues: { least: 1, most: 11 },
  values: { least: 4, most: 15 },
  screens: { least: 8, most: 24 },
  days: { least: 1, most: 5 },
  crowd: { least: 10, most: 16 },
} as const

/** Adds one act of each kind about a known patient. */
export function plantKnown(planting: Planting, count: number): void {
  ownRecord(planting)
  for (const kind of ['FAMILY', 'NEIGHBOR', 'CO_WORKER'] as const) relation(planting, kind, count)
  publicInterest(planting, count)
}

function ownRecord(planting: Planting): void {
  const { random, staff } = planting
  const { physicians, clinicNurses, frontDesk, billing } = staff
  const withRecord = established(physicians, clinicNurses, frontDesk, billing).filter(({ user }) => staff.town.ownRecords.has(user))
  const [worker, day] = target(planting, withRecord, isAtWork)
  const id = staff.town.ownRecords.get(worker.user) ?? ''
  const screen = screenOf(worker)
  const fields = random.sample(screen, Math.round(strength(random, LEAST.ownValues)))
  const accesses = disclosed(id, fields, groundsOf(staff, worker, day).of(id))
  plant(planting, 'SELF', [{ at: during(random, worker, day, 1)(), member: worker, operation: 'Chart', accesses }])
}

function relation(planting: Planting, kind: Exclude<KnownPatient['kind'], 'SELF'>, count: number): void {
  const { known } = planting
  const ofKind = (user: string): string[] => (known.get(user) ?? []).flatMap((one) => (one.kind === kind ? [one.patient] : []))
  snoop(planting, kind, count, ({ user }) => ofKind(user))
}

function publicInterest(planting: Planting, count: number): void {
  const { staff } = planting
  if (count % 3 === 2) crowd(planting)
  else snoop(planting, 'VIP', count, () => [...staff.town.vips])
}

/** Looks of one user at one patient: of clinicians without a membership, and else of clerks. */
function snoop(
  planting: Planting,
  kind: 'FAMILY' | 'NEIGHBOR' | 'CO_WORKER' | 'VIP',
  count: number,
  patientsOf: (worker: Worker) => readonly string[],
): void {
  const { random, staff } = planting
  const isClinician = count % 3 === 0
  const groups = isClinician ? [staff.physicians, staff.clinicNurses] : [staff.frontDesk, staff.billing]
  const workers = established(...groups).filter((one) => patientsOf(one).length > 0)
  const [worker, day] = target(planting, workers, isAtWork)
  const patient = random.pick(patientsOf(worker))
  const request = (at: number, fields: readonly string[], grounds: Grounds): Request => ({
    at,
    member: worker,
    operation: 'Chart',
    accesses: disclosed(patient, fields, grounds),
  })
  if (!isClinician) {
    const days = workdays(worker, day, Math.round(strength(random, LEAST.days)))
    const screens = Math.round(strength(random, LEAST.screens))
    const requests = Array.from({ length: screens }, (_, at) =>
      request(during(random, worker, days[at % days.length] ?? day, 3)(), screenOf(worker), BY_ORGANIZATION),
    )
    plant(planting, kind, requests)
  } else if (random.chance(0.25)) {
    const grounds = { basis: 'BREAK_GLASS', basisId: newId(planting) }
    plant(planting, kind, [request(during(random, worker, day, 1)(), [...SUMMARY, ...CHART], grounds)])
  } else {
    const fields = random.sample([...SUMMARY, ...CHART, ...RESULTS], Math.round(strength(random, LEAST.values)))
    plant(planting, kind, [request(during(random, worker, day, 1)(), fields, BY_ORGANIZATION)])
  }
}

/** The next days of work, in the judged days. */
function workdays(worker: Worker, first: number, count: number): number[] {
  const last = BASELINE_DAYS + JUDGED_DAYS - 1
  return Array.from({ length: last - first + 1 }, (_, at) => first + at)
    .filter((day) => isAtWork(worker, day))
    .slice(0, count)
}

/** Many users, each with one look. Those by a clerk have the values of a usual call. */
function crowd(planting: Planting): void {
  const { random, staff, taken } = planting
  const patient = random.pick([...staff.town.vips])
  const everybody = established(staff.physicians, staff.clinicNurses, staff.frontDesk, staff.billing)
  const size = Math.round(strength(random, LEAST.crowd))
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const day = random.int(BASELINE_DAYS, BASELINE_DAYS + JUDGED_DAYS - 2)
    const free = everybody.flatMap((worker) => {
      const on = day + random.int(0, 1)
      return isAtWork(worker, on) && !taken.has(`${worker.user} ${on}`) ? [{ worker, on }] : []
    })
    if (free.length < size) continue
    const looks = random.sample(free, size)
    const requests = looks.map(({ worker, on }): Request => {
      taken.add(`${worker.user} ${on}`)
      const at = localTime(on, random.between(worker.from + 0.5, worker.to - 0.5))
      return { at, member: worker, operation: 'Chart', accesses: disclosed(patient, screenOf(worker).slice(0, 4), BY_ORGANIZATION) }
    })
    plant(
      planting,
      'VIP',
      requests,
      looks.map(({ worker }) => worker.user),
    )
    return
  }
  throw new RangeError('the clinic has too few people for a crowd')
}
