import { BASELINE_DAYS, isFluWeek, isMonthEnd, isMonthStart, isWorkday, JUDGED_DAYS, localTime } from './calendar.ts'
import {
  CHART,
  CHECK_IN,
  CLAIM,
  LANGUAGE,
  OWN,
  PARTNER,
  PARTNER_ELIGIBILITY,
  RARE,
  RESULTS,
  SHOTS,
  STUDY,
  STUDY_RESULTS,
  SUMMARY,
  VITALS,
} from './fields.ts'
import { type Known, knownTraffic } from './known-traffic.ts'
import type { SeededRandom } from './random.ts'
import { idOf, isAtWork, isOnVacation, type PanelPatient, type Staff, type Worker } from './staff.ts'
import {
  BY_ORGANIZATION,
  closed,
  disclosed,
  type Grounds,
  type Member,
  membershipOf,
  missing,
  type Request,
  review,
  search,
  stranger,
} from './traffic.ts'

const DAYS = BASELINE_DAYS + JUDGED_DAYS

interface Clinic {
  readonly random: SeededRandom
  readonly staff: Staff
  readonly requests: Request[]
  /** Visits whose claims the billing office still makes, by day. */
  readonly claims: Map<number, string[]>
  readonly known: Known
  /** Numbers of made-up ids. */
  made: number
}

/**
 * The usual traffic of a clinic: visits with check-in, nurse, physician, results and claims; shifts of a ward, nights on call with
 * break-glass and its reviews, weekends, evenings, vacations and who covers them, new employees, the end of months, a week of flu,
 * mistyped searches, wrong patients, stale links, a study, partners with jobs at night, retries and one new version of an operation.
 */
export function usualTraffic(random: SeededRandom, staff: Staff, known: Known): Request[] {
  const clinic: Clinic = { random, staff, requests: [], claims: new Map(), known, made: 0 }
  for (let day = 0; day < DAYS; day++) {
    if (isWorkday(day)) {
      visits(clinic, day)
      desk(clinic, day)
      billing(clinic, day)
      research(clinic, day)
      for (const { at, member, operation, accesses } of knownTraffic(random, staff, known, day))
        add(clinic, at, member, operation, accesses)
    } else {
      weekend(clinic, day)
    }
    ward(clinic, day)
    onCall(clinic, day)
    portal(clinic, day)
    partners(clinic, day)
    mishaps(clinic, day)
  }
  return clinic.requests
}

/** Adds a request, unless it is about the member's own record: a colleague does it. */
function add({ requests, staff }: Clinic, at: number, member: Member, operation: string, accesses: Request['accesses']): void {
  const own = staff.town.ownRecords.get(member.user)
  if (own !== undefined && accesses.some(({ patient }) => patient === own)) return
  requests.push({ at: Math.round(at), member, operation, accesses })
}

const newId = (clinic: Clinic): string => idOf('made', clinic.made++)
const HOUR = 3_600_000

function visits(clinic: Clinic, day: number): void {
  const { random, staff } = clinic
  const { physicians, clinicNurses, frontDesk } = staff
  const nurses = clinicNurses.filter((nurse) => isAtWork(nurse, day))
  const desks = frontDesk.filter((one) => isAtWork(one, day))
  const absent = physicians.filter(({ vacations }) => isOnVacation(vacations, day))
  const present = physicians.filter((one) => isAtWork(one, day))
  for (const [at, physician] of present.entries()) {
    const usual = 11 * physician.pace * random.factor(0.18) * (isFluWeek(day) ? 1.4 : 1)
    const panel = staff.panels.get(physician.user) ?? []
    // some patients come often
    const own = [
      ...random.sample(panel.slice(0, 60), random.poisson(0.25 * usual)),
      ...random.sample(panel.slice(60), random.poisson(0.75 * usual)),
    ]
    // a colleague on vacation is covered by the next one
    const covered = absent.flatMap((colleague, index) =>
      (at + index) % present.length === 0 ? random.sample(staff.panels.get(colleague.user) ?? [], random.poisson(5)) : [],
    )
    for (const patient of [...own, ...covered]) {
      const since = covered.includes(patient) ? localTime(day - (day % 7), 7) : patient.since
      visit(clinic, day, { physician, patient: { ...patient, since }, nurse: random.pick(nurses), desk: random.pick(desks) })
    }
    inbox(clinic, day, physician, own)
  }
}

interface Visit {
  readonly physician: Worker
  readonly patient: PanelPatient
  readonly nurse: Worker
  readonly desk: Worker
}

function visit(clinic: Clinic, day: number, { physician, patient: { id, since }, nurse, desk: clerk }: Visit): void {
  const { random, claims } = clinic
  const at = localTime(day, random.between(physician.from + 0.2, physician.to - 0.8))
  // nurses join the team of a patient with the physician
  const team = (member: Member): Grounds => membershipOf(member, id, Math.min(since, at - HOUR))
  add(clinic, at - random.between(0.2, 0.5) * HOUR, clerk, 'CheckIn', [
    ...disclosed(id, CHECK_IN, BY_ORGANIZATION),
    ...(isFluWeek(day) && random.chance(0.5) ? disclosed(id, LANGUAGE, BY_ORGANIZATION) : []),
    // the screen of the desk asks for a value that the desk does not get
    ...(random.chance(0.25) ? [closed(id, 'Patient.maritalStatus')] : []),
  ])
  const shots = random.chance(isFluWeek(day) ? 0.5 : 0.03)
  add(
    clinic,
    at - random.between(0.05, 0.2) * HOUR,
    nurse,
    'Rooming',
    disclosed(id, [...VITALS, ...(shots ? SHOTS : [])], team(nurse)),
  )
  add(clinic, at, physician, 'Chart', disclosed(id, [...SUMMARY, ...CHART], team(physician)))
  if (random.chance(0.5)) add(clinic, at + 0.1 * HOUR, physician, 'Results', disclosed(id, RESULTS, team(physician)))
  if (random.chance(0.003)) {
    const rare = random.sample(RARE, random.int(1, 3))
    add(clinic, at + 0.2 * HOUR, physician, 'Details', disclosed(id, rare, team(physician)))
  }
  const due = day + random.int(2, 9)
  claims.set(due, [...(claims.get(due) ?? []), id])
}

/** Results of recent visits, and now and then the chart of a patient that nobody else reads. */
function inbox(clinic: Clinic, day: number, physician: Worker, recent: readonly PanelPatient[]): void {
  const { random, staff } = clinic
  for (const { id, since } of random.sample(recent, random.poisson(4))) {
    const evening = physician.isLate && random.chance(0.4)
    const hour = evening ? random.between(19, 21.5) : random.between(physician.from + 1, physician.to)
    add(clinic, localTime(day, hour), physician, 'Results', disclosed(id, RESULTS, membershipOf(physician, id, since)))
  }
  // a renewal of a prescription: the nurse asks, the physician signs
  for (const { id, since } of random.sample(staff.panels.get(physician.user) ?? [], random.poisson(0.6))) {
    const at = localTime(day, random.between(10, 16))
    const nurse = random.pick(staff.clinicNurses.filter((one) => isAtWork(one, day)))
    add(clinic, at - 0.5 * HOUR, nurse, 'Renewal', disclosed(id, CHART, membershipOf(nurse, id, since)))
    add(clinic, at, physician, 'Renewal', disclosed(id, CHART, membershipOf(physician, id, since)))
  }
  if (random.chance(0.01)) {
    const { id, since } = random.pick(staff.panels.get(physician.user) ?? [])
    add(
      clinic,
      localTime(day, random.between(10, 16)),
      physician,
      'Chart',
      disclosed(id, CHART, membershipOf(physician, id, since)),
    )
  }
}

/** Calls at the desk: searches, some of them mistyped or for patients who are new. */
function desk(clinic: Clinic, day: number): void {
  const { random, staff } = clinic
  for (const clerk of staff.frontDesk.filter((one) => isAtWork(one, day))) {
    const isNew = day < clerk.starts + 10 && clerk.starts > 0
    const calls = random.poisson(12 * clerk.pace * random.factor(0.2) * (isFluWeek(day) ? 1.4 : 1) * (isNew ? 0.6 : 1))
    for (let call = 0; call < calls; call++) {
      const at = localTime(day, shiftHour(random, clerk))
      const patient = random.pick(staff.others)
      for (let typo = 0; random.chance(isNew ? 0.35 : 0.2) && typo < 3; typo++)
        add(clinic, at - (3 - typo) * 30_000, clerk, 'Find', search(newId(clinic)))
      // somebody who is not a patient yet
      if (random.chance(0.08)) continue
      add(clinic, at, clerk, 'Find', search(newId(clinic), patient))
      add(clinic, at + 20_000, clerk, 'CheckIn', disclosed(patient, CHECK_IN, BY_ORGANIZATION))
    }
  }
}

/** A time of a usual day. Some days begin early or end late. */
function shiftHour(random: SeededRandom, { from, to }: Worker): number {
  if (random.chance(0.004)) return random.between(to, to + 2)
  if (random.chance(0.002)) return random.between(from - 1.5, from)
  return random.between(from, to)
}

function billing(clinic: Clinic, day: number): void {
  const { random, staff, claims } = clinic
  const clerks = staff.billing.filter((one) => isAtWork(one, day))
  const due = claims.get(day) ?? []
  claims.delete(day)
  const rework = random.sample(staff.others, isMonthEnd(day) ? 220 : 0)
  for (const id of [...due, ...rework]) {
    const clerk = random.pick(clerks)
    if (random.chance(Math.max(0, 0.9 - clerk.pace / 2))) continue
    add(clinic, localTime(day, shiftHour(random, clerk)), clerk, 'Claim', disclosed(id, CLAIM, BY_ORGANIZATION))
  }
  // claims that wait for somebody, so that no day is empty
  for (const clerk of clerks)
    for (const id of random.sample(staff.others, random.poisson(8 * clerk.pace)))
      add(clinic, localTime(day, shiftHour(random, clerk)), clerk, 'Claim', disclosed(id, CLAIM, BY_ORGANIZATION))
  // a weekend at work before the month ends
  if (random.chance(0.01) && clerks[0] !== undefined) {
    const clerk = random.pick(clerks)
    for (const id of random.sample(staff.others, random.int(2, 12)))
      add(clinic, localTime(day - (day % 7) + 5, random.between(9, 12)), clerk, 'Claim', disclosed(id, CLAIM, BY_ORGANIZATION))
  }
}

function research(clinic: Clinic, day: number): void {
  const { random, staff } = clinic
  for (const researcher of staff.researchers.filter((one) => isAtWork(one, day))) {
    const cohort = staff.others.slice(0, 400)
    const size = random.poisson(24 * researcher.pace * random.factor(0.3) * (day % 7 === 0 ? 1.6 : 1))
    const patients = random.sample(cohort, size)
    const at = localTime(day, random.between(researcher.from + 1, researcher.to - 2))
    for (let from = 0; from < patients.length; from += 8)
      add(
        clinic,
        at + from * 60_000,
        researcher,
        'Cohort',
        patients
          .slice(from, from + 8)
          .flatMap((id) => disclosed(id, [...STUDY, ...STUDY_RESULTS], { basis: 'STUDY', basisId: 'IRB-7' })),
      )
  }
}

/** Three shifts, each day of the week. The memberships of a ward begin with the stay. */
function ward(clinic: Clinic, day: number): void {
  const { random, staff } = clinic
  for (const [at, nurse] of staff.wardNurses.entries()) {
    // four days of work, two off; the shift changes each week
    if ((day + at) % 6 >= 4 || isOnVacation(nurse.vacations, day)) continue
    const starts = [7, 15, 23][(Math.floor(day / 7) + at) % 3] ?? 7
    const patients = Array.from({ length: 5 }, (_, bed) => {
      const stay = Math.floor((day + bed + at * 3) / 4)
      return { id: idOf('ward', at % 4, bed, stay), since: localTime(stay * 4 - bed - at * 3, 6) }
    })
    const rounds = random.poisson(3 * nurse.pace) + 1
    for (let round = 0; round < rounds; round++) {
      const hour = starts + 0.3 + (round * 7) / rounds
      for (const { id, since } of patients)
        add(
          clinic,
          localTime(day, hour + random.between(0, 0.6)),
          nurse,
          'Round',
          disclosed(id, VITALS, membershipOf(nurse, id, since)),
        )
    }
  }
}

/** A night on call: patients of the colleagues by the membership of the night, some of them by break-glass. */
function onCall(clinic: Clinic, day: number): void {
  const { random, staff } = clinic
  const pool = staff.physicians.filter((one, at) => at % 4 !== 1 && !isOnVacation(one.vacations, day))
  const physician = pool[day % pool.length]
  if (physician === undefined) return
  for (let call = random.poisson(4); call > 0; call--) {
    const at = localTime(day, random.between(18, 26))
    const { id } = random.pick(staff.panels.get(random.pick(staff.physicians).user) ?? [])
    if (!random.chance(0.2)) {
      add(clinic, at, physician, 'Chart', disclosed(id, CHART, membershipOf(physician, id, localTime(day, 17))))
      continue
    }
    breakGlass(clinic, { at, member: physician, patient: id, reviewedAfterDays: random.between(0.5, 6) })
  }
}

/** A break-glass grant that is used, and reviewed after a number of days. */
function breakGlass(
  clinic: Clinic,
  {
    at,
    member,
    patient,
    reviewedAfterDays,
  }: {
    readonly at: number
    readonly member: Member
    readonly patient: string
    readonly reviewedAfterDays: number
  },
): void {
  const grant = newId(clinic)
  const emergency: Member = { ...member, purpose: 'BTG' }
  add(clinic, at, emergency, 'Chart', disclosed(patient, [...SUMMARY, ...CHART], { basis: 'BREAK_GLASS', basisId: grant }))
  const reviewer = clinic.random.pick(clinic.staff.privacyOfficers)
  add(clinic, at + reviewedAfterDays * 24 * HOUR, reviewer, 'Review', [review(patient, grant)])
}

/** Urgent care: two physicians, three nurses and a clerk, in turns. */
function weekend(clinic: Clinic, day: number): void {
  const { random, staff } = clinic
  const turn = Math.floor(day / 7) * 2 + (day % 7)
  const inTurn = (workers: readonly Worker[], count: number): Worker[] =>
    Array.from({ length: count }, (_, at) => workers[(turn * count + at) % workers.length])
      .flatMap((one) => one ?? [])
      .filter(({ starts, vacations }) => day >= starts && !isOnVacation(vacations, day))
  const nurses = inTurn(staff.clinicNurses, 3)
  const [clerk] = inTurn(staff.frontDesk, 1)
  for (const physician of inTurn(staff.physicians, 2))
    for (let patients = random.poisson(8); patients > 0; patients--) {
      const at = localTime(day, random.between(9, 14.5))
      const { id } = random.pick(staff.panels.get(random.pick(staff.physicians).user) ?? [])
      const since = localTime(day, 8)
      if (clerk !== undefined) add(clinic, at - 0.3 * HOUR, clerk, 'CheckIn', disclosed(id, CHECK_IN, BY_ORGANIZATION))
      if (nurses[0] !== undefined) {
        const nurse = random.pick(nurses)
        add(clinic, at - 0.1 * HOUR, nurse, 'Rooming', disclosed(id, VITALS, membershipOf(nurse, id, since)))
      }
      add(clinic, at, physician, 'Chart', disclosed(id, [...SUMMARY, ...CHART], membershipOf(physician, id, since)))
    }
}

/** Patients read their own records at any hour. */
function portal(clinic: Clinic, day: number): void {
  const { random, staff } = clinic
  for (const patient of staff.portalUsers)
    if (random.chance(0.08)) {
      const id = idOf('portal', patient.user)
      add(clinic, localTime(day, random.between(0, 24)), patient, 'MyChart', disclosed(id, OWN, { basis: 'SELF', basisId: id }))
    }
}

/** Jobs at night. Some nights begin late, or read twice after a failure, and the first of a month has more. */
function partners(clinic: Clinic, day: number): void {
  const { random, staff } = clinic
  for (const [at, partner] of staff.partners.entries()) {
    // the third partner works on weekdays only
    if (at === 2 && !isWorkday(day)) continue
    const isRetried = random.chance(0.015)
    const cases = random.poisson(60 * (1 + at * 0.2) * random.factor(0.12) * (isRetried ? 1.8 : 1) * (isMonthStart(day) ? 2 : 1))
    const start = 1 + (at % 3) + (random.chance(0.02) ? random.between(0.5, 1.4) : random.between(0, 0.4))
    // a new version of an operation comes once
    const version = at === 1 && day >= BASELINE_DAYS + 12 ? 'ClaimStatus2' : 'ClaimStatus'
    const [operation, fields] = at % 2 === 0 ? (['Eligibility', PARTNER_ELIGIBILITY] as const) : ([version, PARTNER] as const)
    const patients = random.sample(staff.others, cases)
    for (let from = 0; from < patients.length; from += 12)
      add(
        clinic,
        localTime(day, start) + from * 4_000,
        partner,
        operation,
        patients.slice(from, from + 12).flatMap((id) => disclosed(id, fields, BY_ORGANIZATION)),
      )
  }
}

/** Wrong patients, lists of a ward before the memberships exist, stale links. */
function mishaps(clinic: Clinic, day: number): void {
  const { random, staff } = clinic
  const { physicians, clinicNurses, frontDesk, billing: clerks } = staff
  for (const worker of [...physicians, ...clinicNurses, ...frontDesk, ...clerks].filter((one) => isAtWork(one, day))) {
    const isClinician = worker.role === 'PHYSICIAN' || worker.role === 'NURSE'
    const at = localTime(day, random.between(worker.from, worker.to))
    const isNew = worker.starts > 0 && day < worker.starts + 10
    if (isClinician && random.chance(isNew ? 0.6 : 0.25)) add(clinic, at, worker, 'Chart', stranger(random.pick(staff.others)))
    if (isClinician && random.chance(0.006))
      for (const id of random.sample(staff.others, random.int(3, 6))) add(clinic, at + 60_000, worker, 'Chart', stranger(id))
    if (random.chance(0.08)) add(clinic, at + 120_000, worker, 'Chart', [missing(newId(clinic))])
    if (random.chance(0.004))
      for (let stale = random.int(3, 7); stale > 0; stale--)
        add(clinic, at + 180_000 + stale * 5_000, worker, 'Chart', [missing(newId(clinic))])
  }
}
