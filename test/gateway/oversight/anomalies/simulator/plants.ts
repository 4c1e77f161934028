import { DAY_MS } from '../../../../../gateway/oversight/anomalies/local-day.ts'
import { BASELINE_DAYS, JUDGED_DAYS, localTime } from './calendar.ts'
import { CHART, PARTNER, PARTNER_ELIGIBILITY, RESULTS, SUMMARY, UNUSED } from './fields.ts'
import { plantKnown } from './known-plants.ts'
import type { Known } from './known-traffic.ts'
import {
  during,
  established,
  groundsOf,
  newId,
  type Plant,
  plant,
  type Planting,
  remember,
  screenOf,
  strength,
  target,
} from './planting.ts'
import type { SeededRandom } from './random.ts'
import { isAtWork, type Staff } from './staff.ts'
import {
  BY_ORGANIZATION,
  closed,
  disclosed,
  membershipOf,
  missing,
  overBudget,
  type Request,
  review,
  search,
  stranger,
} from './traffic.ts'

/**
 * The least strength of a plant of each kind. The simulator draws each strength evenly from here to `most`. The numbers were chosen before
 * any result, by one question: from where on would a privacy officer want to hear of it, although honest work has busy days, wrong
 * patients and typing errors? Weaker misuse exists. No statistic can tell it from honest work, and the plants do not claim it.
 *
 * | kind | a plant is | because |
 * | --- | --- | --- |
 * | VOLUME | 3 usual days of work more, in one day | the end of a month, a flu and the cover of a colleague stay below twice a usual day |
 * | MANY_PATIENTS | 3 usual days of patients more, in one day | as VOLUME |
 * | OFF_HOURS | 6 requests at night or on a Sunday evening, by a role that never works then | one forgotten task takes up to 3 |
 * | DENIALS | 12 patients of others or 16 refused requests within 2 hours | a wrong list of a ward has up to 6 |
 * | ENUMERATION | 15 ids within 2 hours | a list of stale links has up to 7 |
 * | GUESSED_SEARCHES | 20 searches without a hit within 2 hours, or 4 beyond the limit | a busy desk mistypes up to 12 on a day |
 * | UNREVIEWED_BREAK_GLASS | no review, or one 10 days after the use | a review is due after 7 days |
 * | MEMBERSHIP | a membership of 90 days and no visit for 45, or 8 values without a membership | a visit has other readers around it |
 * | FIRST_USE | 4 values by a grant that nobody of the role used for 60 days | a look at one field is an accident |
 * | PARTNER_HABITS | one new operation, one new field, 4 requests at unusual hours, or 3 times the volume | the contract is fixed, and jobs are regular |
 */
const LEAST = {
  volumeDays: { least: 3, most: 8 },
  patientDays: { least: 3, most: 8 },
  offHourRequests: { least: 6, most: 25 },
  strangers: { least: 12, most: 40 },
  refusals: { least: 16, most: 40 },
  ids: { least: 15, most: 60 },
  misses: { least: 20, most: 60 },
  overBudget: { least: 4, most: 12 },
  lateReviewDays: { least: 10, most: 20 },
  membershipDays: 90,
  pauseDays: 45,
  othersDays: 4,
  valuesWithoutMembership: { least: 8, most: 30 },
  firstUseValues: { least: 4, most: 15 },
  partnerVolume: { least: 3, most: 8 },
  partnerRequests: { least: 4, most: 12 },
} as const

const HOUR = 3_600_000

/** Adds acts of misuse of every kind to the judged days. @param each the number of each kind */
export function plantMisuse(
  random: SeededRandom,
  staff: Staff,
  known: Known,
  usual: readonly Request[],
  each: number,
): { readonly requests: readonly Request[]; readonly plants: readonly Plant[] } {
  const planting: Planting = { random, staff, known, reads: new Map(), requests: [], plants: [], taken: new Set(), made: 0 }
  for (const request of usual) remember(planting, request)
  const typical = typicalDays(usual)
  for (let count = 0; count < each; count++) {
    volume(planting, typical)
    manyPatients(planting, typical)
    offHours(planting)
    denials(planting)
    enumeration(planting)
    guesses(planting)
    unreviewed(planting)
    if (count % 3 === 2) withoutMembership(planting)
    else oldMembership(planting)
    firstUse(planting, count)
    partner(planting, count, typical)
    plantKnown(planting, count)
  }
  return { requests: planting.requests, plants: planting.plants }
}

/** The mean of records and patients of a user's days of work in the baseline. */
type Typical = ReadonlyMap<string, { readonly records: number; readonly patients: number }>

function typicalDays(usual: readonly Request[]): Typical {
  const sums = new Map<string, { records: number; patients: Set<string>; days: Set<number> }>()
  for (const { at, member, accesses } of usual) {
    if (at >= localTime(BASELINE_DAYS, 0)) continue
    const day = Math.floor((at - 5 * HOUR) / DAY_MS)
    const sum = sums.get(member.user) ?? { records: 0, patients: new Set(), days: new Set() }
    sums.set(member.user, sum)
    sum.days.add(day)
    for (const { outcome, patient } of accesses)
      if (outcome === 'DISCLOSED') {
        sum.records++
        sum.patients.add(`${day} ${patient ?? ''}`)
      }
  }
  return new Map(
    [...sums].map(([user, { records, patients, days }]) => [
      user,
      { records: records / days.size, patients: patients.size / days.size },
    ]),
  )
}

/** Whole records of few patients, again and again. */
function volume(planting: Planting, typical: Typical): void {
  const { random, staff } = planting
  const workers = established(staff.physicians, staff.clinicNurses, staff.frontDesk, staff.billing)
  const [worker, day] = target(planting, workers, isAtWork)
  const records = (typical.get(worker.user)?.records ?? 0) * strength(random, LEAST.volumeDays)
  const { patients, of } = groundsOf(staff, worker, day)
  const few = random.sample(patients, 8)
  const at = during(random, worker, day, 3)
  const requests: Request[] = []
  for (let left = records; left > 0; left -= 40) {
    const screen = screenOf(worker)
    const accesses = Array.from({ length: Math.ceil(40 / screen.length) }, () => random.pick(few)).flatMap((id) =>
      disclosed(id, screen, of(id)),
    )
    requests.push({ at: at(), member: worker, operation: 'Chart', accesses })
  }
  plant(planting, 'VOLUME', requests)
}

/** One value of each of many patients. */
function manyPatients(planting: Planting, typical: Typical): void {
  const { random, staff } = planting
  const workers = established(staff.physicians, staff.clinicNurses, staff.frontDesk, staff.billing)
  const [worker, day] = target(planting, workers, isAtWork)
  const count = Math.ceil((typical.get(worker.user)?.patients ?? 0) * strength(random, LEAST.patientDays))
  // a physician's panel is small: the patients of colleagues, by a membership of the day
  const everyone = [...[...staff.panels.values()].flatMap((all) => all.map(({ id }) => id)), ...staff.others]
  const { of } = groundsOf(staff, worker, day)
  const at = during(random, worker, day, 3)
  const [field = ''] = screenOf(worker)
  const requests = random
    .sample(everyone, count)
    .map((id): Request => ({ at: at(), member: worker, operation: 'List', accesses: disclosed(id, [field], of(id)) }))
  plant(planting, 'MANY_PATIENTS', requests)
}

function offHours(planting: Planting): void {
  const { random, staff } = planting
  const workers = established(staff.frontDesk, staff.billing, staff.researchers)
  const [worker, day] = target(planting, workers, () => true)
  const isSunday = day % 7 === 6
  const start = isSunday ? random.pick([19, 21, 2]) : random.pick([0.5, 1.5, 2.5, 22])
  const { patients, of } = groundsOf(staff, worker, day)
  const requests = random.sample(patients, Math.round(strength(random, LEAST.offHourRequests))).map(
    (id): Request => ({
      at: localTime(day, random.between(start, start + 1.4)),
      member: worker,
      operation: 'Chart',
      accesses: disclosed(id, screenOf(worker), of(id)),
    }),
  )
  plant(planting, 'OFF_HOURS', requests)
}

function denials(planting: Planting): void {
  const { random, staff } = planting
  const clinicians = established(staff.physicians, staff.clinicNurses)
  const [worker, day] = target(planting, [...clinicians, ...established(staff.frontDesk, staff.billing)], isAtWork)
  const at = during(random, worker, day, 2)
  const isClinician = clinicians.includes(worker)
  const count = Math.round(strength(random, isClinician ? LEAST.strangers : LEAST.refusals))
  const requests = random.sample(staff.others, count).map(
    (id): Request => ({
      at: at(),
      member: worker,
      operation: 'Chart',
      accesses: isClinician ? stranger(id) : [closed(id, 'Condition.code')],
    }),
  )
  plant(planting, 'DENIALS', requests)
}

function enumeration(planting: Planting): void {
  const { random, staff } = planting
  const workers = established(staff.physicians, staff.clinicNurses, staff.frontDesk, staff.billing)
  const [worker, day] = target(planting, workers, isAtWork)
  const at = during(random, worker, day, 2)
  const requests = Array.from(
    { length: Math.round(strength(random, LEAST.ids)) },
    (): Request => ({
      at: at(),
      member: worker,
      operation: 'Chart',
      accesses: [missing(newId(planting))],
    }),
  )
  plant(planting, 'ENUMERATION', requests)
}

function guesses(planting: Planting): void {
  const { random, staff } = planting
  const [worker, day] = target(planting, established(staff.frontDesk, staff.physicians, staff.billing), isAtWork)
  const at = during(random, worker, day, 2)
  const isStopped = random.chance(0.25)
  const request = (accesses: Request['accesses']): Request => ({ at: at(), member: worker, operation: 'Find', accesses })
  const requests = isStopped
    ? Array.from({ length: Math.round(strength(random, LEAST.overBudget)) }, () => request([overBudget()]))
    : Array.from({ length: Math.round(strength(random, LEAST.misses)) }, () => request(search(newId(planting))))
  plant(planting, 'GUESSED_SEARCHES', requests)
}

function unreviewed(planting: Planting): void {
  const { random, staff } = planting
  // the review of the use becomes due in the judged days
  const days = [BASELINE_DAYS - 6, BASELINE_DAYS + JUDGED_DAYS - 9] as const
  const [worker, day] = target(planting, established(staff.physicians, staff.clinicNurses), isAtWork, days)
  const at = during(random, worker, day, 1)()
  const [patient, grant] = [random.pick(staff.others), newId(planting)]
  const use: Request = {
    at,
    member: { ...worker, purpose: 'BTG' },
    operation: 'Chart',
    accesses: disclosed(patient, [...SUMMARY, ...CHART], { basis: 'BREAK_GLASS', basisId: grant }),
  }
  const reviewer = random.pick(staff.privacyOfficers)
  const late: Request = {
    at: Math.round(at + strength(random, LEAST.lateReviewDays) * DAY_MS),
    member: reviewer,
    operation: 'Review',
    accesses: [review(patient, grant)],
  }
  plant(planting, 'UNREVIEWED_BREAK_GLASS', random.chance(0.3) ? [use, late] : [use])
}

/** A patient of an old membership, whom neither the physician nor a colleague reads at the time. */
function oldMembership(planting: Planting): void {
  const { random, staff, reads } = planting
  const [worker, day] = target(planting, established(staff.physicians), isAtWork)
  const at = during(random, worker, day, 1)()
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const old = (staff.panels.get(worker.user) ?? []).filter(({ since }) => since < at - LEAST.membershipDays * DAY_MS)
    const { id, since } = random.pick(old)
    const isQuiet = (reads.get(id) ?? []).every(({ at: other, member }) => {
      const days = Math.abs(at - other) / DAY_MS
      if (member.user === worker.user) return other > at || days > LEAST.pauseDays
      return days > LEAST.othersDays || member.role === 'BILLING'
    })
    if (!isQuiet) continue
    const accesses = disclosed(
      id,
      random.sample([...SUMMARY, ...CHART, ...RESULTS], random.int(3, 11)),
      membershipOf(worker, id, since),
    )
    plant(planting, 'MEMBERSHIP', [{ at, member: worker, operation: 'Chart', accesses }])
    return
  }
  throw new RangeError('the clinic has no quiet patient left')
}

/** Values by an organization, in a role in which everybody else is a member of the care team. */
function withoutMembership(planting: Planting): void {
  const { random, staff } = planting
  const [worker, day] = target(planting, established(staff.physicians, staff.clinicNurses), isAtWork)
  const at = during(random, worker, day, 1)
  const requests: Request[] = []
  for (let left = strength(random, LEAST.valuesWithoutMembership); left > 0; left -= SUMMARY.length)
    requests.push({
      at: at(),
      member: worker,
      operation: 'Chart',
      accesses: disclosed(random.pick(staff.others), SUMMARY, BY_ORGANIZATION),
    })
  plant(planting, 'MEMBERSHIP', requests)
}

function firstUse(planting: Planting, count: number): void {
  const { random, staff } = planting
  const [worker, day] = target(
    planting,
    established(staff.physicians, staff.clinicNurses, staff.frontDesk, staff.billing, staff.researchers),
    isAtWork,
  )
  const at = during(random, worker, day, 1)
  const { patients, of } = groundsOf(staff, worker, day)
  const rule = UNUSED[count % UNUSED.length] ?? ''
  const some = random.sample(patients, Math.round(strength(random, LEAST.firstUseValues)))
  const requests = some.map(
    (id): Request => ({ at: at(), member: worker, operation: 'Details', accesses: disclosed(id, [rule], of(id)) }),
  )
  plant(planting, 'FIRST_USE', requests)
}

function partner(planting: Planting, count: number, typical: Typical): void {
  const { random, staff } = planting
  const [member, day] = target(planting, staff.partners, (one, on) => one.user !== 'partner-2' || on % 7 < 5)
  const way = count % 4
  const hour = way === 2 ? random.between(10, 16) : 1.4 + (staff.partners.indexOf(member) % 3)
  const at = (): number => localTime(day, hour + random.between(0, 0.4))
  const isEligibility = staff.partners.indexOf(member) % 2 === 0
  const [operation, fields] = isEligibility ? (['Eligibility', PARTNER_ELIGIBILITY] as const) : (['ClaimStatus', PARTNER] as const)
  const records = way === 3 ? (typical.get(member.user)?.records ?? 0) * (strength(random, LEAST.partnerVolume) - 1) : 40
  const count_ = way === 2 ? Math.round(strength(random, LEAST.partnerRequests)) : Math.ceil(records / 40)
  // each new operation and field comes once
  const used = way === 0 ? `Export${count}` : operation
  const read = way === 1 ? [`${UNUSED[count % UNUSED.length]?.split('#')[0] ?? ''}#9`] : fields
  const requests = Array.from(
    { length: count_ },
    (): Request => ({
      at: at(),
      member,
      operation: used,
      accesses: random.sample(staff.others, way === 1 ? 3 : 20).flatMap((id) => disclosed(id, read, BY_ORGANIZATION)),
    }),
  )
  plant(planting, 'PARTNER_HABITS', requests)
}
