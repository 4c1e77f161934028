import type { PatientId } from '../gateway/model/ids.ts'
import type { Membership } from '../gateway/model/record.ts'
import { type FhirPeriod, endInstant, firstInstant } from './instant.ts'

/** UTC with milliseconds, so that texts compare as times; `until` is the first instant that is no longer part of it. */
type Period = Membership['periods'][number]

/** The stays of everybody on the care teams of one patient, merged into one membership for each person. */
export class MembershipPeriods {
  readonly #byUser = new Map<string, Period[]>()

  add(fhirUser: string, period: FhirPeriod): void {
    const stays = this.#byUser.get(fhirUser) ?? []
    this.#byUser.set(fhirUser, stays)
    stays.push({
      ...(period.start !== undefined && { since: firstInstant(period.start) }),
      ...(period.end !== undefined && { until: endInstant(period.end) }),
    })
  }

  /** Ordered by person, periods by time: the same teams in another order give the same memberships. */
  memberships(patient: PatientId): Membership[] {
    return [...this.#byUser]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([fhirUser, stays]) => ({ patient, relationship: 'CARE_TEAM', fhirUser, periods: merged(stays) }))
  }
}

function merged(stays: readonly Period[]): Period[] {
  const result: Period[] = []
  for (const stay of [...stays].sort((one, other) => (since(one) < since(other) ? -1 : since(one) > since(other) ? 1 : 0))) {
    const last = result.at(-1)
    if (last && since(stay) <= until(last)) result[result.length - 1] = joined(last, stay)
    else result.push(stay)
  }
  return result
}

function joined(one: Period, other: Period): Period {
  const later = until(one) > until(other) ? one : other
  return { ...(one.since !== undefined && { since: one.since }), ...(later.until !== undefined && { until: later.until }) }
}

// before and after every four-digit year
const since = (stay: Period): string => stay.since ?? '0'
const until = (stay: Period): string => stay.until ?? 'open'
