import { mergedPeriods } from '../gateway/model/membership-periods.ts'
import type { Membership } from '../gateway/model/record.ts'
import type { SourceMembership } from '../gateway/model/source.ts'
import { type FhirPeriod, endInstant, firstInstant } from './instant.ts'

/** UTC with milliseconds, so that texts compare as times; `until` is the first instant that is no longer part of it. */
type Period = Membership['periods'][number]

/** The stays of everybody on a care team, merged into one membership for each person. */
export class MembershipPeriods {
  readonly #byUser = new Map<string, Period[]>()

  /** The memberships of all teams. */
  static merged(teams: readonly MembershipPeriods[]): readonly SourceMembership[] {
    const all = new MembershipPeriods()
    for (const team of teams) for (const [fhirUser, periods] of team.#byUser) all.#of(fhirUser).push(...periods)
    return all.memberships()
  }

  add(fhirUser: string, period: FhirPeriod): void {
    this.#of(fhirUser).push({
      ...(period.start !== undefined && { since: firstInstant(period.start) }),
      ...(period.end !== undefined && { until: endInstant(period.end) }),
    })
  }

  /** Ordered by person, periods by time: the same teams in another order give the same memberships. */
  memberships(): readonly SourceMembership[] {
    return [...this.#byUser]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([fhirUser, stays]) => ({ relationship: 'CARE_TEAM', fhirUser, periods: mergedPeriods(stays) }))
  }

  #of(fhirUser: string): Period[] {
    const stays = this.#byUser.get(fhirUser) ?? []
    this.#byUser.set(fhirUser, stays)
    return stays
  }
}
