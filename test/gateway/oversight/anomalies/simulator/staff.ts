import { createHash } from 'node:crypto'
import { BASELINE_DAYS, isWorkday, JUDGED_DAYS, localTime } from './calendar.ts'
import type { SeededRandom } from './random.ts'
import { settle, type Town } from './town.ts'
import type { Member } from './traffic.ts'

/** A member of the workforce with habits. */
export interface Worker extends Member {
  /** The user's usual amount of work, as a factor of the role's. */
  readonly pace: number
  /** Local hours of a usual day. */
  readonly from: number
  readonly to: number
  /** The first day of work. */
  readonly starts: number
  /** The first day of each week of vacation. */
  readonly vacations: readonly number[]
  /** A nurse of a ward, in shifts around the clock. */
  readonly isOnWard: boolean
  /** Writes notes in the evening. */
  readonly isLate: boolean
}

/** A patient of a physician's panel. */
export interface PanelPatient {
  readonly id: string
  /** The start of the memberships, in milliseconds since the epoch. */
  readonly since: number
}

export interface Staff {
  readonly physicians: readonly Worker[]
  readonly clinicNurses: readonly Worker[]
  readonly wardNurses: readonly Worker[]
  readonly frontDesk: readonly Worker[]
  readonly billing: readonly Worker[]
  readonly researchers: readonly Worker[]
  readonly privacyOfficers: readonly Worker[]
  readonly partners: readonly Member[]
  readonly portalUsers: readonly Member[]
  readonly panels: ReadonlyMap<string, readonly PanelPatient[]>
  /** Patients of the clinic that are in no panel. */
  readonly others: readonly string[]
  readonly town: Town
}

/** The sizes of a clinic. */
export interface ClinicSize {
  readonly physicians: number
  readonly clinicNurses: number
  readonly wardNurses: number
  readonly frontDesk: number
  readonly billing: number
  readonly researchers: number
  readonly partners: number
}

/** 60 people of the workforce and 6 partners. */
export const FULL_CLINIC: ClinicSize = {
  physicians: 16,
  clinicNurses: 12,
  wardNurses: 8,
  frontDesk: 10,
  billing: 8,
  researchers: 4,
  partners: 6,
}

/** Patients of a physician. */
const PANEL = 900

export const idOf = (...of: readonly (string | number)[]): string =>
  createHash('sha256').update(of.join(' ')).digest('base64url').slice(0, 22)

export function hireStaff(random: SeededRandom, size: ClinicSize): Staff {
  const worker = (role: Worker['role'], purpose: Worker['purpose'], name: string, change: Partial<Worker> = {}): Worker => {
    const from = random.pick([7, 7.5, 8, 8, 8.5, 9])
    return {
      user: name,
      role,
      purpose,
      pace: random.factor(0.22),
      from,
      to: from + 9,
      starts: 0,
      vacations: [...vacationsIn(random, 0, BASELINE_DAYS, 0.3), ...vacationsIn(random, BASELINE_DAYS, JUDGED_DAYS, 0.2)],
      isOnWard: false,
      isLate: false,
      ...change,
    }
  }
  const group = (count: number, make: (at: number) => Worker): Worker[] => Array.from({ length: count }, (_, at) => make(at))
  // one of each group begins in the judged days
  const starts = (at: number): Partial<Worker> => (at === 0 ? { starts: BASELINE_DAYS + random.int(3, 15), vacations: [] } : {})
  const physicians = group(size.physicians, (at) => worker('PHYSICIAN', 'TREAT', `physician-${at}`, { isLate: at % 3 === 0 }))
  const staff = {
    physicians,
    clinicNurses: group(size.clinicNurses, (at) => worker('NURSE', 'TREAT', `nurse-${at}`, starts(at))),
    wardNurses: group(size.wardNurses, (at) => worker('NURSE', 'TREAT', `ward-nurse-${at}`, { isOnWard: true })),
    frontDesk: group(size.frontDesk, (at) => worker('FRONT_DESK', 'HOPERAT', `desk-${at}`, starts(at))),
    billing: group(size.billing, (at) => worker('BILLING', 'HPAYMT', `billing-${at}`, starts(at))),
    researchers: group(size.researchers, (at) => worker('RESEARCHER', 'HRESCH', `researcher-${at}`)),
    privacyOfficers: group(2, (at) => worker('PRIVACY_OFFICER', 'HOPERAT', `privacy-${at}`, { vacations: [] })),
    partners: Array.from(
      { length: size.partners },
      (_, at): Member => ({
        user: `partner-${at}`,
        role: 'PARTNER',
        purpose: 'HPAYMT',
        contract: createHash('sha256').update(`contract ${at}`).digest('hex'),
      }),
    ),
    portalUsers: Array.from({ length: 60 }, (_, at): Member => ({ user: `patient-${at}`, role: 'PATIENT', purpose: 'PATRQT' })),
    panels: new Map(
      physicians.map(({ user }) => [
        user,
        Array.from({ length: PANEL }, (_, at) => ({ id: idOf(user, at), since: localTime(-random.int(5, 1_500), 9) })),
      ]),
    ),
    others: Array.from({ length: 800 }, (_, at) => idOf('other', at)),
  }
  const { clinicNurses, wardNurses, frontDesk, billing, researchers, privacyOfficers, panels, others } = staff
  const users = [physicians, clinicNurses, wardNurses, frontDesk, billing, researchers, privacyOfficers].flat()
  const patients = [...[...panels.values()].flatMap((panel) => panel.map(({ id }) => id)), ...others]
  const town = settle(
    random,
    users.map(({ user }) => user),
    patients,
  )
  return { ...staff, town }
}

function vacationsIn(random: SeededRandom, from: number, days: number, chance: number): number[] {
  if (!random.chance(chance)) return []
  const week = Math.floor((from + random.int(0, days - 7)) / 7) * 7
  return [Math.max(from, week)]
}

/** Whether a worker is in the clinic on a day of the usual week. */
export const isAtWork = ({ starts, vacations }: Worker, day: number): boolean =>
  isWorkday(day) && day >= starts && !isOnVacation(vacations, day)

export const isOnVacation = (vacations: readonly number[], day: number): boolean =>
  vacations.some((first) => day >= first && day < first + 7)
