import type { Keyring } from '../crypto/keyring.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import { mergedPeriods } from '../model/membership-periods.ts'
import type { Json } from '../model/record.ts'
import { type AccessKey, type AccessTable, type MembershipChange, membershipName } from '../store/access.ts'
import { definedTimes, MembershipContent, membershipKey } from './memberships.ts'
import { readPatientAccess } from './patient-access.ts'

/** The team of the members that users add through the gateway. The ids of imported teams are keyed hashes, so no import has it. */
const OWN_TEAM = 'gateway'
/** The periods of a membership that was stored without a team. */
const NO_TEAM = 'none'

/** A stay on the team. `until` is exclusive. */
export interface Stay {
  readonly since: Instant
  readonly until?: Instant
}

type Period = Partial<Stay>

/**
 * The membership of one person on the care team of one patient. The stays that users add and end through the gateway are a team of their
 * own. The stays of imported teams keep as they are, and an import keeps these.
 */
export class OwnTeamMembership {
  readonly #key: AccessKey
  readonly #stored: Json
  /** The periods of each team. */
  readonly #teams: ReadonlyMap<string, readonly Period[]>

  /**
   * @param fhirUser `Practitioner/123`
   * @throws IntegrityFailure if the stored membership is not authentic, or the patient has no access manifest
   * @throws KeyUnavailable, StoreUnavailable
   */
  static async read(
    { keyring, access }: { readonly keyring: Keyring; readonly access: AccessTable },
    tenant: TenantId,
    { patient, fhirUser }: { readonly patient: PatientId; readonly fhirUser: string },
    signal?: AbortSignal,
  ): Promise<OwnTeamMembership> {
    const key = await membershipKey(keyring, tenant, { patient, relationship: 'CARE_TEAM', fhirUser })
    const name = membershipName(key)
    const read = (await readPatientAccess({ keyring, table: access }, tenant, new Map([[patient, [name]]]), signal)).get(patient)
    if (read?.kind !== 'FOUND') throw new IntegrityFailure()
    return new OwnTeamMembership(key, read.members.get(name) ?? null)
  }

  private constructor(key: AccessKey, stored: Json) {
    this.#key = key
    this.#stored = stored
    this.#teams = new Map(stored === null ? [] : teamsOf(stored))
  }

  /** The stay of this team that shares a moment with the given one; undefined if there is none. */
  overlapping(stay: Stay): Stay | undefined {
    return this.#own.find((one) => begins(one) < ends(stay) && begins(stay) < ends(one)) as Stay | undefined
  }

  /** The change that adds a stay. */
  with(stay: Stay): MembershipChange {
    return this.#changed([...this.#own, stay])
  }

  /** The change that ends a stay at a moment; undefined if the stay was over before. */
  endedAt(stay: Stay, at: Instant): MembershipChange | undefined {
    const rest: Stay = { ...stay, since: Math.max(stay.since, at) as Instant }
    if (begins(rest) >= ends(rest) || this.overlapping(rest) === undefined) return undefined
    return this.#changed(this.#own.flatMap((one) => without(one, begins(rest), ends(rest))))
  }

  get #own(): readonly Period[] {
    return this.#teams.get(OWN_TEAM) ?? []
  }

  #changed(own: readonly Period[]): MembershipChange {
    const teams = new Map([...this.#teams, [OWN_TEAM, mergedPeriods(own)] as const])
    const giving = [...teams].filter(([, periods]) => periods.length > 0).toSorted(([one], [other]) => (one < other ? -1 : 1))
    const merged = mergedPeriods(giving.flatMap(([, periods]) => periods))
    const [first] = giving
    const limited = this.#stored === null ? undefined : MembershipContent.safeParse(this.#stored).data?.limited
    const content = {
      periods: merged,
      ...(limited !== undefined && { limited }),
      ...(giving.length > 1 && { teams: Object.fromEntries(giving) }),
      ...(giving.length === 1 && first !== undefined && first[0] !== NO_TEAM && { team: first[0] }),
    }
    return { ...this.#key, content: JSON.parse(JSON.stringify(content)) as Json, before: this.#stored }
  }
}

/** @throws IntegrityFailure for content of another form */
function teamsOf(stored: Json): readonly (readonly [string, readonly Period[]])[] {
  const { data } = MembershipContent.safeParse(stored)
  if (data === undefined) throw new IntegrityFailure()
  const teams = data.teams ?? { [data.team ?? NO_TEAM]: data.periods }
  return Object.entries(teams).map(([team, periods]) => [team, periods.map((one) => definedTimes(one) as Period)] as const)
}

const begins = ({ since }: Period): number => since ?? Number.NEGATIVE_INFINITY
const ends = ({ until }: { readonly until?: Instant | undefined }): number => until ?? Number.POSITIVE_INFINITY

/** The parts of a period before `from` and from `until` on. */
function without(period: Period, from: number, until: number): Period[] {
  if (ends(period) <= from || begins(period) >= until) return [period]
  const before = begins(period) < from ? [{ ...period, until: from as Instant }] : []
  const after = ends(period) > until ? [{ ...period, since: until as Instant }] : []
  return [...before, ...after]
}
