import type { Relation, WorkforceRelations } from '../../../../../gateway/oversight/anomalies/relations.ts'
import type { SeededRandom } from './random.ts'

/** Where somebody lives, as it was typed: in other letters and with other signs for the same value. */
interface Residence {
  readonly familyName: string
  readonly street: string
  readonly house: number
  readonly phone: string
}

/** The people of the simulated clinic outside of it. */
export interface Town {
  /** Of patients, by id. */
  readonly patients: ReadonlyMap<string, Residence>
  /** Of the workforce, by user. */
  readonly workforce: ReadonlyMap<string, Residence>
  /** The patient that a user is. */
  readonly ownRecords: ReadonlyMap<string, string>
  /** Patients of public interest. */
  readonly vips: ReadonlySet<string>
}

/**
 * Sizes of the town, chosen before any result. 15,200 patients in 600 streets are 25 in a street, and with 60 houses two in five of the
 * houses have one: a user has about 25 neighbors, and sometimes a stranger at the same address, as in a house with several flats. Of the
 * workforce, 3 of 5 are patients of the clinic, and a user has 1 to 4 relatives among its patients. 7 of 10 relatives have the name of the
 * user, and every fifth lives elsewhere and gave the telephone number of the user.
 */
const STREETS = 600
const HOUSES = 60
const NAMES = 900
const PATIENTS_OF_5 = 3
const VIPS = 8

export function settle(random: SeededRandom, users: readonly string[], patients: readonly string[]): Town {
  const streets = Math.max(20, Math.round((STREETS * patients.length) / 15_200))
  let phones = 0
  const residence = (): Residence => ({
    familyName: `Name${random.int(1, NAMES)}`,
    street: `Street ${random.int(1, streets)}`,
    house: random.int(1, HOUSES),
    phone: `(555) ${String(1_000_000 + phones++)}`,
  })
  const homes = new Map(patients.map((id) => [id, residence()]))
  const workforce = new Map(users.map((user) => [user, residence()]))
  // each patient is one person: those with a part in the town are drawn once
  const drawn = random.sample(patients, users.length * 5 + VIPS)
  const next = (): string => drawn.pop() ?? random.pick(patients)
  const ownRecords = new Map<string, string>()
  for (const [at, user] of users.entries()) {
    const home = workforce.get(user) ?? residence()
    if (at % 5 < PATIENTS_OF_5) {
      const own = next()
      ownRecords.set(user, own)
      homes.set(own, retyped(home))
    }
    for (let relatives = random.int(1, 4); relatives > 0; relatives--) {
      const [other, typed] = [residence(), retyped(home)]
      const familyName = random.chance(0.7) ? typed.familyName : other.familyName
      homes.set(next(), random.chance(0.2) ? { ...other, familyName, phone: typed.phone } : { ...typed, familyName })
    }
  }
  const vips = new Set(Array.from({ length: VIPS }, next))
  return { patients: homes, workforce, ownRecords, vips }
}

/** The same residence, typed at another desk. */
const retyped = ({ familyName, street, house, phone }: Residence): Residence => ({
  familyName: familyName.toUpperCase(),
  street: ` ${street.replace(' ', '  ')}`,
  house,
  phone: phone.replace(/[() ]/g, ''),
})

const word = (text: string): string => text.trim().replace(/\s+/g, ' ').toLowerCase()
const digits = (text: string): string => text.replace(/\D/g, '')

/** A relation, or a colleague. */
export type KnownPatient = Omit<Relation, 'kind'> & { readonly kind: Relation['kind'] | 'CO_WORKER' }

/** The patients that a user knows, by equal values after normalization. */
export function relationsIn({ patients, workforce, ownRecords }: Town): (user: string) => KnownPatient[] {
  const byStreet = Map.groupBy(patients.keys(), (id) => word(patients.get(id)?.street ?? ''))
  const byPhone = Map.groupBy(patients.keys(), (id) => digits(patients.get(id)?.phone ?? ''))
  const colleagues = new Set(ownRecords.values())
  return (user) => {
    const home = workforce.get(user)
    if (home === undefined) return []
    const own = ownRecords.get(user)
    const candidates = new Set([
      ...(byStreet.get(word(home.street)) ?? []),
      ...(byPhone.get(digits(home.phone)) ?? []),
      ...colleagues,
    ])
    return [...candidates].flatMap((patient): KnownPatient[] => {
      const other = patients.get(patient)
      if (other === undefined) return []
      const hasStreet = word(other.street) === word(home.street)
      const hasAddress = hasStreet && other.house === home.house
      const hasPhone = digits(other.phone) === digits(home.phone)
      const shared = new Set<'PATIENT' | 'FAMILY_NAME' | 'ADDRESS' | 'STREET' | 'PHONE'>()
      if (patient === own) shared.add('PATIENT')
      if (word(other.familyName) === word(home.familyName)) shared.add('FAMILY_NAME')
      if (hasAddress) shared.add('ADDRESS')
      if (hasStreet) shared.add('STREET')
      if (hasPhone) shared.add('PHONE')
      const kind = patient === own ? 'SELF' : hasAddress || hasPhone ? 'FAMILY' : colleagues.has(patient) ? 'CO_WORKER' : 'NEIGHBOR'
      return [{ user, patient, kind, shared }]
    })
  }
}

/** The port of the detection, for the town. */
export function townRelations(town: Town): WorkforceRelations {
  const relationsOf = relationsIn(town)
  const workers = new Set(town.ownRecords.values())
  const relatedTo = (user: string): Relation[] =>
    relationsOf(user).flatMap(({ kind, ...others }) => (kind === 'CO_WORKER' ? [] : [{ kind, ...others }]))
  return { of: async (users) => await Promise.resolve({ relations: [...users].flatMap(relatedTo), workers, vips: town.vips }) }
}
