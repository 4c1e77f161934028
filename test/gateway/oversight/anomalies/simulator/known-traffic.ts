import { isWorkday, localTime } from './calendar.ts'
import { CHART, CHECK_IN, CLAIM, SUMMARY, VITALS } from './fields.ts'
import type { SeededRandom } from './random.ts'
import { idOf, isAtWork, type Staff, type Worker } from './staff.ts'
import { type KnownPatient, relationsIn } from './town.ts'
import { BY_ORGANIZATION, disclosed, membershipOf, type Request, search } from './traffic.ts'

/**
 * How often the workforce has honest work with patients that it knows, beyond its share of all patients. Chosen before any result.
 *
 * | work | how often | because |
 * | --- | --- | --- |
 * | visits, calls, claims and nights of all patients | as of any patient | the traffic draws patients without regard to who knows them |
 * | the own record | never | a colleague does it: the rule of every clinic |
 * | a call of a known patient at a clerk's desk | once in two weeks for each clerk, every second by a relative | people ask for those they know |
 * | a question about the claim of a known patient | once a month for each clerk of billing, 3 of 10 take a second look the next day | as the calls |
 * | a known patient in the care of a nurse or physician | once in two months for each, by a membership | a small town has one clinic |
 * | a visit of a person of public interest | once a month, prepared by two clerks of the desk and one of billing on the day before and on the day | staff checks twice |
 */
const OFTEN = { call: 0.1, relative: 0.5, claim: 0.05, secondLook: 0.3, care: 0.025, vipVisit: 0.05 } as const
const HOUR = 3_600_000

/** The relations of each user. */
export type Known = ReadonlyMap<string, readonly KnownPatient[]>

export function knownBy({ town }: Staff): Known {
  const relationsOf = relationsIn(town)
  return new Map([...town.workforce.keys()].map((user) => [user, relationsOf(user)]))
}

/** The honest work of a workday with patients that the workforce knows. */
export function knownTraffic(random: SeededRandom, staff: Staff, known: Known, day: number): Request[] {
  const requests: Request[] = []
  const add = (at: number, member: Worker, operation: string, accesses: Request['accesses']): void => {
    requests.push({ at: Math.round(at), member, operation, accesses })
  }
  const present = (workers: readonly Worker[]): Worker[] => workers.filter((one) => isAtWork(one, day))
  const during = ({ from, to }: Worker): number => localTime(day, random.between(from + 0.5, to - 1))
  const somebody = ({ user }: Worker): string | undefined => {
    const others = (known.get(user) ?? []).filter(({ kind }) => kind !== 'SELF')
    const relatives = others.filter(({ kind }) => kind === 'FAMILY')
    const from = relatives.length > 0 && random.chance(OFTEN.relative) ? relatives : others
    return from.length === 0 ? undefined : random.pick(from).patient
  }
  for (const clerk of present(staff.frontDesk)) {
    const patient = random.chance(OFTEN.call) ? somebody(clerk) : undefined
    if (patient === undefined) continue
    const at = during(clerk)
    add(at, clerk, 'Find', search(idOf('known', clerk.user, day), patient))
    add(at + 20_000, clerk, 'CheckIn', disclosed(patient, CHECK_IN, BY_ORGANIZATION))
  }
  for (const clerk of present(staff.billing)) {
    const patient = random.chance(OFTEN.claim) ? somebody(clerk) : undefined
    if (patient === undefined) continue
    const at = during(clerk)
    add(at, clerk, 'Claim', disclosed(patient, CLAIM, BY_ORGANIZATION))
    if (random.chance(OFTEN.secondLook) && isAtWork(clerk, day + 1))
      add(at + 24 * HOUR, clerk, 'Claim', disclosed(patient, CLAIM, BY_ORGANIZATION))
  }
  for (const clinician of present([...staff.physicians, ...staff.clinicNurses])) {
    const patient = random.chance(OFTEN.care) ? somebody(clinician) : undefined
    if (patient === undefined) continue
    const fields = clinician.role === 'NURSE' ? VITALS : [...SUMMARY, ...CHART]
    add(during(clinician), clinician, 'Chart', disclosed(patient, fields, membershipOf(clinician, patient, localTime(day, 7))))
  }
  for (const patient of staff.town.vips) if (random.chance(OFTEN.vipVisit)) prepared(patient)
  return requests

  function prepared(patient: string): void {
    const [desks, clerks] = [present(staff.frontDesk), present(staff.billing)]
    const [physician] = random.sample(present(staff.physicians), 1)
    const [nurse] = random.sample(present(staff.clinicNurses), 1)
    if (physician === undefined || nurse === undefined) return
    const before = isWorkday(day - 1) ? 24 * HOUR : 0
    for (const [at, clerk] of random.sample(desks, 2).entries())
      add(during(clerk) - at * before, clerk, 'CheckIn', disclosed(patient, CHECK_IN, BY_ORGANIZATION))
    for (const clerk of random.sample(clerks, 1))
      add(during(clerk) - before, clerk, 'Claim', disclosed(patient, CLAIM, BY_ORGANIZATION))
    const at = during(physician)
    add(at - 0.2 * HOUR, nurse, 'Rooming', disclosed(patient, VITALS, membershipOf(nurse, patient, at - HOUR)))
    add(at, physician, 'Chart', disclosed(patient, [...SUMMARY, ...CHART], membershipOf(physician, patient, at - HOUR)))
  }
}
